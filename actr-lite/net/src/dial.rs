use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use actr_lite_tls::{ClientTls, Stream};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    clear_text::ClearText,
    dial_error::{DialError, FailedAttempt},
    progress::{DialProgress, Step as DialStep},
    race::{ATTEMPT_TIMEOUT, Race, Step},
    resolve::resolve,
};

/// How long a TLS handshake may take: several round trips around the world, and a chain of certificates over a slow link.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to `host`, a name or an IP address without brackets: to the first of its addresses that takes a connection.
/// Meanwhile `progress` tells the step.
///
/// # Errors
/// [`DialError`] says what failed: resolving, or connecting, then for each address.
///
/// # Cancel safety
/// Dropping it closes what it has opened.
pub async fn connect(host: &str, port: u16, progress: &DialProgress) -> Result<TcpStream, DialError> {
    let step = progress.enter(DialStep::Resolve(host.into()));
    let addresses = resolve(host, port).await?;
    drop(step);
    let _step = progress.enter(DialStep::Connect(shown(host, port)));
    first(addresses, TcpStream::connect::<SocketAddr>).await
}

/// The TLS handshake of a connection that was made to `host`, within [`TLS_TIMEOUT`]. Meanwhile `progress` tells of it.
///
/// # Errors
/// [`DialError`] says what failed.
///
/// # Cancel safety
/// Dropping it closes the connection.
pub async fn secure(
    tls: &ClientTls,
    host: &str,
    stream: TcpStream,
    progress: &DialProgress,
) -> Result<Stream, DialError> {
    let address = stream.peer_addr().map_err(DialError::Lost)?;
    let _step = progress.enter(DialStep::Tls(address));
    let began = Instant::now();
    match timeout(TLS_TIMEOUT, tls.connect(host, stream)).await {
        Ok(connected) => connected.map_err(|cause| DialError::Tls {
            address,
            after: began.elapsed(),
            cause: Box::new(cause),
        }),
        Err(_) => Err(DialError::TlsTimeout {
            address,
            after: TLS_TIMEOUT,
        }),
    }
}

/// A connection that was made and stays without TLS, if `clear_text` allows that with whoever took it. Nothing was sent.
///
/// # Errors
/// [`DialError::InClear`] if it does not.
pub fn leave_in_clear(clear_text: ClearText, stream: TcpStream) -> Result<Stream, DialError> {
    let address = stream.peer_addr().map_err(DialError::Lost)?;
    match clear_text.admits(address.ip()) {
        true => Ok(stream.into()),
        false => Err(DialError::InClear { address }),
    }
}

/// `host:port`, with brackets where they belong.
fn shown(host: &str, port: u16) -> String {
    host.parse::<IpAddr>()
        .map_or_else(|_| format!("{host}:{port}"), |ip| SocketAddr::new(ip, port).to_string())
}

/// The first connection that `connect` makes to one of the addresses.
async fn first<C, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> Result<C, DialError>
where
    F: Future<Output = io::Result<C>>,
{
    let began = Instant::now();
    let mut race = Race::new(addresses);
    let mut attempts = FuturesUnordered::new();
    let mut failed = Vec::new();
    loop {
        let next_start = match race.step(began.elapsed()) {
            Step::Try(address) => {
                attempts.push(attempt(address, connect(address)));
                continue;
            }
            Step::WaitUntil(after) => Some(began + after),
            Step::WaitForAttempts => None,
            Step::Over => return Err(DialError::Connect(failed)),
        };
        tokio::select! {
            Some(tried) = attempts.next() => match tried {
                Ok(connection) => return Ok(connection),
                Err(attempt) => {
                    failed.push(attempt);
                    race.failed(began.elapsed());
                }
            },
            () = sleep_until(next_start.unwrap_or(began)), if next_start.is_some() => {}
        }
    }
}

async fn attempt<C>(address: SocketAddr, connecting: impl Future<Output = io::Result<C>>) -> Result<C, FailedAttempt> {
    let began = Instant::now();
    let cause = match timeout(ATTEMPT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(cause)) => Some(cause),
        Err(_) => None,
    };
    Err(FailedAttempt {
        address,
        after: began.elapsed(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::net::TcpListener;

    use super::*;

    const DEAD: &str = "[2001:db8::2]:80";
    const ALIVE: &str = "192.0.2.1:80";

    fn addresses() -> Vec<SocketAddr> {
        [DEAD, ALIVE].map(|address| address.parse().unwrap()).into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_first_address_costs_a_quarter_second() {
        let began = Instant::now();
        let connect = |address: SocketAddr| async move {
            if address.is_ipv6() {
                pending::<()>().await;
            }
            Ok(address)
        };
        let connected = first(addresses(), connect).await.unwrap();
        assert_eq!(connected, ALIVE.parse().unwrap());
        // The clock counts whole milliseconds.
        assert!(began.elapsed() <= Duration::from_millis(251), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_addresses_are_dead_each_is_named() {
        let connect = |_| pending::<io::Result<()>>();
        let error = first(addresses(), connect).await.unwrap_err().to_string();
        assert!(error.contains(DEAD) && error.contains(ALIVE), "{error}");
        assert!(error.contains("no answer within 3.0 s"), "{error}");
    }

    #[tokio::test]
    async fn a_name_is_connected_to_whatever_its_first_address() {
        // Mostly localhost is ::1 as well, where nobody listens.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = connect("localhost", port, &DialProgress::default()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
    }

    #[tokio::test]
    async fn a_port_without_a_listener_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let dialled = connect("127.0.0.1", address.port(), &DialProgress::default()).await;
        let error = dialled.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("connecting to {address} failed after ")),
            "{error}"
        );
        assert!(error.ends_with("connection refused"), "{error}");
    }
}
