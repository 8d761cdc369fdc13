//! Accepting connections for as long as a process lives, also while it lacks what an open connection takes.

use std::{io, mem, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs, lookup_host},
    time::{Instant, sleep, sleep_until},
};
use tracing::{info, warn};

use crate::inherited;

/// How long accepting pauses after a failure: mostly it is for lack of file descriptors, and some will be closed
/// meanwhile. Those who want to connect wait in the system's queue.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long nobody may have been kept waiting before the log reports the recovery: with a few descriptors to
/// spare, accepting fails and succeeds in turn.
const QUIET: Duration = Duration::from_secs(1);

/// A listener whose [`Self::accept`] does not fail.
///
/// Where the system can't give a connection, it pauses and tries again. The log tells when that begins and when it is
/// over, not every failure between the two.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    failures: Failures,
}

impl Listener {
    /// Listens on an address, by the socket that the service manager has [opened](inherited) there, if there is one; `name`
    /// is what the log calls it.
    ///
    /// # Errors
    /// When the system does not let it.
    pub async fn bind(address: impl ToSocketAddrs, name: &'static str) -> io::Result<Self> {
        let addresses: Vec<_> = lookup_host(address).await?.collect();
        let inner = match inherited::take(&addresses) {
            Some(opened) => TcpListener::from_std(opened)?,
            None => TcpListener::bind(&addresses[..]).await?,
        };
        Ok(Self {
            inner,
            failures: Failures {
                name,
                count: 0,
                latest: Instant::now(),
            },
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    /// The next connection.
    ///
    /// # Cancel safety
    /// Dropping it loses no connection.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = self.inner.accept() => accepted,
                // Nobody waits to be accepted.
                () = sleep_until(self.failures.latest + QUIET), if self.failures.count > 0 => {
                    info!("{}", self.failures.over());
                    continue;
                }
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => {
                    if let Some(told) = self.failures.add(&error) {
                        warn!("{told}");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// The failures since all was well.
#[derive(Debug)]
struct Failures {
    name: &'static str,
    count: u64,
    latest: Instant,
}

impl Failures {
    /// One more; what to tell of it, if it is the first.
    fn add(&mut self, error: &io::Error) -> Option<String> {
        self.count += 1;
        self.latest = Instant::now();
        let pause = ACCEPT_PAUSE.as_millis();
        (self.count == 1).then(|| {
            format!(
                "{} cannot accept connections: {error}; open ones go on, and it tries again every {pause} ms{}",
                self.name,
                advice(error)
            )
        })
    }

    /// All is well; what to tell of that.
    fn over(&mut self) -> String {
        let count = mem::take(&mut self.count);
        format!("{} accepts connections again, after {count} failures", self.name)
    }
}

/// What to do about a failure, if that is known.
fn advice(error: &io::Error) -> &'static str {
    // The same numbers on all systems that follow POSIX's tradition; on others there is no advice.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    match error.raw_os_error() {
        Some(EMFILE) => "; to have more, raise this process's limit of open files (ulimit -n)",
        Some(ENFILE) => "; to have more, raise the system's limit of open files (fs.file-max)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_when_they_begin_and_when_they_are_over() {
        let mut failures = Failures {
            name: "the door",
            count: 0,
            latest: Instant::now(),
        };
        let told = failures.add(&io::Error::from_raw_os_error(24)).unwrap();
        assert!(told.starts_with("the door cannot accept connections: "), "{told}");
        assert!(told.ends_with("(ulimit -n)"), "{told}");
        assert_eq!(failures.add(&io::Error::from_raw_os_error(24)), None);
        assert_eq!(failures.add(&io::ErrorKind::ConnectionAborted.into()), None);
        assert_eq!(failures.over(), "the door accepts connections again, after 3 failures");
        assert!(failures.add(&io::ErrorKind::ConnectionAborted.into()).is_some());
    }
}
