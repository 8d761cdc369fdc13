use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    thread,
    time::Duration,
};

use tokio::{
    sync::{Semaphore, oneshot},
    time::{Instant, timeout},
};

use crate::DialError;

/// How long a name may take to resolve: a system whose first name server is dead asks the second one after 5 s, and one
/// that asks for IPv4 and IPv6 in turn does so twice.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(12);

/// How many names are looked up at once. The system's resolver can't be interrupted, so that a lookup that nobody waits
/// for any more keeps its thread for up to half a minute.
const MAX_LOOKUPS: usize = 16;

static LOOKUPS: Semaphore = Semaphore::const_new(MAX_LOOKUPS);

/// The addresses of `host`, a name or an IP address without brackets, in the system's order; at least one.
///
/// # Errors
/// [`DialError::Resolve`] when there is none, [`DialError::ResolveTimeout`] after [`RESOLVE_TIMEOUT`].
///
/// # Cancel safety
/// Dropping it leaves a thread to the system's resolver, which does not hold up the end of the process.
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    resolve_with(host, move |host| Ok((host, port).to_socket_addrs()?.collect())).await
}

async fn resolve_with(
    host: &str,
    lookup: impl FnOnce(&str) -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> Result<Vec<SocketAddr>, DialError> {
    let began = Instant::now();
    let found = timeout(RESOLVE_TIMEOUT, in_a_thread(host.to_owned(), lookup)).await;
    let failed = |cause| DialError::Resolve {
        host: host.into(),
        after: began.elapsed(),
        cause,
    };
    match found {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(failed(io::Error::other("it has no address"))),
        Ok(found) => found.map_err(failed),
        Err(_) => Err(DialError::ResolveTimeout { host: host.into() }),
    }
}

async fn in_a_thread(
    host: String,
    lookup: impl FnOnce(&str) -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> io::Result<Vec<SocketAddr>> {
    let permit = LOOKUPS.acquire().await.map_err(io::Error::other)?;
    let (answer, answered) = oneshot::channel();
    // Not a thread of the runtime, which would wait for it when it ends.
    thread::Builder::new().name("resolver".into()).spawn(move || {
        let _permit = permit;
        // Nobody may be waiting any more.
        let _ = answer.send(lookup(&host));
    })?;
    answered
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the resolver has failed")))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn an_address_is_resolved_without_the_system() {
        let address = resolve("::1", 80).await.unwrap();
        assert_eq!(address, ["[::1]:80".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_that_does_not_exist_is_named_with_its_step() {
        let no_such = |_: &str| Err(io::Error::other("no such name"));
        let error = resolve_with("nowhere.test", no_such).await.unwrap_err().to_string();
        assert!(error.starts_with("resolving nowhere.test failed after 0."), "{error}");
        assert!(error.ends_with(" s: no such name"), "{error}");
        let nothing = |_: &str| Ok(Vec::new());
        let error = resolve_with("nowhere.test", nothing).await.unwrap_err().to_string();
        assert!(error.ends_with(": it has no address"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_may_be_slow_and_not_forever() {
        let (release, released) = mpsc::channel::<()>();
        let stuck = move |_: &str| {
            let _ = released.recv();
            Ok(Vec::new())
        };
        let error = resolve_with("slow.test", stuck).await.unwrap_err();
        assert!(matches!(error, DialError::ResolveTimeout { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "resolving slow.test took longer than 12 s: check the name, and the name servers of this machine"
        );
        drop(release);
    }
}
