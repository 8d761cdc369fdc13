use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::{
    sync::watch,
    time::{self, timeout},
};

use crate::dial_error::DialError;

/// How long a name may take to resolve: a system whose first name server is dead asks the second one after 5 s, and one
/// that asks for IPv4 and IPv6 in turn does so twice.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(12);

/// How many names are looked up at once. The system's resolver can't be interrupted, so that a lookup that nobody waits
/// for any more keeps its thread for up to half a minute.
const MAX_LOOKUPS: usize = 16;

/// How long addresses are kept that nobody waited for: a dial that is retried picks them up, so that a name may take longer
/// than one try.
const KEEP_UNCLAIMED: Duration = Duration::from_secs(5);

static SYSTEM: LazyLock<Lookups> = LazyLock::new(Lookups::default);

/// The addresses of `host`, a name or an IP address without brackets, in the system's order; at least one.
///
/// # Errors
/// [`DialError::Resolve`] when there is none, [`DialError::ResolveTimeout`] after [`RESOLVE_TIMEOUT`].
///
/// # Cancel safety
/// Dropping it leaves a thread to the system's resolver, which does not hold up the end of the process. Whoever asks for the
/// same name soon after gets what it finds.
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let found = SYSTEM.resolve(host, |host| {
        Ok((host, 0).to_socket_addrs()?.map(|found| found.ip()).collect())
    });
    let with_port = |address| SocketAddr::new(address, port);
    Ok(found.await?.into_iter().map(with_port).collect())
}

/// The lookups that run, one for each name, however many wait for it.
#[derive(Clone, Default)]
struct Lookups(Arc<Mutex<HashMap<String, Outcome>>>);

/// What comes of a lookup; nothing yet while it runs.
type Outcome = watch::Receiver<Option<Found>>;

#[derive(Clone)]
struct Found {
    addresses: Result<Vec<IpAddr>, Arc<io::Error>>,
    at: Instant,
}

impl Lookups {
    async fn resolve(
        &self,
        host: &str,
        lookup: impl FnOnce(&str) -> io::Result<Vec<IpAddr>> + Send + 'static,
    ) -> Result<Vec<IpAddr>, DialError> {
        let began = time::Instant::now();
        let failed = |cause| DialError::Resolve {
            host: host.into(),
            after: began.elapsed(),
            cause,
        };
        let mut outcome = self.join(host, lookup).map_err(failed)?;
        let found = timeout(RESOLVE_TIMEOUT, outcome.wait_for(Option::is_some)).await;
        let found = match found {
            Ok(found) => found.ok().and_then(|found| found.clone()),
            Err(_) => {
                return Err(DialError::ResolveTimeout {
                    host: host.into(),
                    after: RESOLVE_TIMEOUT,
                });
            }
        };
        match found.map(|found| found.addresses) {
            Some(Ok(addresses)) if addresses.is_empty() => Err(failed(io::Error::other("it has no address"))),
            Some(Ok(addresses)) => Ok(addresses),
            Some(Err(error)) => Err(failed(io::Error::new(error.kind(), Shared(error)))),
            None => Err(failed(io::Error::other("the resolver has failed"))),
        }
    }

    /// The lookup of this name that runs already, or a new one.
    fn join(
        &self,
        host: &str,
        lookup: impl FnOnce(&str) -> io::Result<Vec<IpAddr>> + Send + 'static,
    ) -> io::Result<Outcome> {
        let mut running = self.lock();
        // What is over and still here was not waited for.
        if let Some(outcome) = running.get(host).cloned() {
            let unclaimed_since = outcome.borrow().as_ref().map(|found| found.at);
            if unclaimed_since.is_some() {
                running.remove(host);
            }
            if unclaimed_since.is_none_or(|at| at.elapsed() < KEEP_UNCLAIMED) {
                return Ok(outcome);
            }
        }
        running.retain(|_, outcome| {
            outcome
                .borrow()
                .as_ref()
                .is_none_or(|found| found.at.elapsed() < KEEP_UNCLAIMED)
        });
        if running.len() >= MAX_LOOKUPS {
            return Err(io::Error::other(format!(
                "the system's resolver is busy with {MAX_LOOKUPS} other names"
            )));
        }
        let (tell, outcome) = watch::channel(None);
        let lookups = self.clone();
        let name = host.to_owned();
        // Not a thread of the runtime, which would wait for it when it ends.
        thread::Builder::new().name("resolver".into()).spawn(move || {
            let addresses = lookup(&name).map_err(Arc::new);
            let mut running = lookups.lock();
            let found = Found {
                addresses,
                at: Instant::now(),
            };
            // The map has a receiver too.
            let is_waited_for = tell.receiver_count() > 1;
            if is_waited_for || found.addresses.is_err() {
                running.remove(&name);
            }
            drop(running);
            tell.send_replace(Some(found));
        })?;
        running.insert(host.into(), outcome.clone());
        Ok(outcome)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Outcome>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error that several get.
#[derive(Debug, Error)]
#[error(transparent)]
struct Shared(Arc<io::Error>);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const FOUND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn an_address_is_resolved_without_the_system() {
        let address = resolve("::1", 80).await.unwrap();
        assert_eq!(address, ["[::1]:80".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_named_with_its_step() {
        let lookups = Lookups::default();
        let no_such = |_: &str| Err(io::Error::other("no such name"));
        let error = lookups.resolve("nowhere.test", no_such).await.unwrap_err().to_string();
        assert!(error.starts_with("resolving nowhere.test failed after 0."), "{error}");
        assert!(error.ends_with(" s: no such name"), "{error}");
        let nothing = |_: &str| Ok(Vec::new());
        let error = lookups.resolve("nowhere.test", nothing).await.unwrap_err().to_string();
        assert!(error.ends_with(": it has no address"), "{error}");
    }

    /// A lookup that waits until the sender is dropped.
    fn slow() -> (mpsc::Sender<()>, impl FnOnce(&str) -> io::Result<Vec<IpAddr>> + Send) {
        let (release, released) = mpsc::channel();
        let lookup = move |_: &str| {
            let _ = released.recv();
            Ok(vec![FOUND])
        };
        (release, lookup)
    }

    fn never(_: &str) -> io::Result<Vec<IpAddr>> {
        panic!("the name is looked up twice")
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_may_be_slow_and_not_forever() {
        let (release, stuck) = slow();
        let error = Lookups::default().resolve("slow.test", stuck).await.unwrap_err();
        assert!(matches!(error, DialError::ResolveTimeout { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "resolving slow.test took longer than 12 s: check the name, and the name servers of this machine"
        );
        drop(release);
    }

    #[tokio::test]
    async fn a_retry_joins_the_lookup_that_was_given_up() {
        let lookups = Lookups::default();
        let (release, lookup) = slow();
        let outcome = lookups.join("slow.test", lookup).unwrap();
        drop(outcome);
        let retry = lookups.resolve("slow.test", never);
        let (found, ()) = tokio::join!(retry, async { drop(release) });
        assert_eq!(found.unwrap(), [FOUND]);
        assert!(lookups.lock().is_empty());
    }

    #[tokio::test]
    async fn what_is_found_too_late_is_there_for_the_retry() {
        let lookups = Lookups::default();
        let (release, lookup) = slow();
        drop(lookups.join("slow.test", lookup).unwrap());
        drop(release);
        while lookups.lock()["slow.test"].borrow().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(lookups.resolve("slow.test", never).await.unwrap(), [FOUND]);
        assert!(lookups.lock().is_empty(), "it is there once");
    }

    #[tokio::test]
    async fn names_beyond_the_limit_are_refused_at_once() {
        let lookups = Lookups::default();
        let mut running = Vec::new();
        for number in 0..MAX_LOOKUPS {
            let (release, lookup) = slow();
            running.push((release, lookups.join(&format!("{number}.test"), lookup).unwrap()));
        }
        let error = lookups.resolve("more.test", never).await.unwrap_err().to_string();
        assert!(
            error.ends_with("the system's resolver is busy with 16 other names"),
            "{error}"
        );
        let (one, outcome) = running.remove(0);
        drop(one);
        let mut outcome = outcome;
        outcome.wait_for(Option::is_some).await.unwrap();
        let one_more = |_: &str| Ok(vec![FOUND]);
        assert_eq!(lookups.resolve("more.test", one_more).await.unwrap(), [FOUND]);
    }
}
