//! Where the data lane listens, and where others are told to dial it.

use actr_lite_manifest::{WebSocket, WebSocketUrl};
use actr_lite_tls::Tls;
use actr_lite_wire::host_policy::HostPolicy;
use tracing::warn;

use crate::{
    node::start_error::StartError,
    peers::acceptor::{Acceptor, BindError},
};

/// Whether those who dial what others are told accept its certificate.
pub(crate) fn check_certificate(settings: &WebSocket, tls: &Tls) -> Result<(), StartError> {
    let Some(server) = &tls.server else {
        return Ok(());
    };
    let Some(advertised) = &settings.advertised else {
        let host = settings.listen.ip().to_string();
        return server.check_name(&host).map_err(|cause| StartError::OwnDataLane {
            host,
            cause: Box::new(cause),
        });
    };
    if advertised.is_tls()
        && let Err(error) = server.check_name(advertised.host())
    {
        // Somebody in between may have a certificate of its own.
        warn!(address = %advertised, reason = %error, "[system.websocket] advertised: whoever dials {advertised} may be refused by this node: {error}");
    }
    Ok(())
}

/// Listens, if those who dial what is advertised get here.
pub(crate) async fn bind(settings: &WebSocket) -> Result<Acceptor, BindError> {
    // On another port something in between takes the connections.
    let is_direct = |url: &&WebSocketUrl| url.port() == settings.listen.port();
    let host = settings.advertised.as_ref().filter(is_direct).map(WebSocketUrl::host);
    Acceptor::bind(settings.listen, host).await
}

/// How to have a node addressed by another name.
const NAME_IT: &str = "add it to allowed_hosts in [system.websocket] of its Actr.toml";

/// By which names the data lane may be addressed.
pub(crate) fn hosts(settings: &WebSocket) -> HostPolicy {
    let advertised = settings.advertised.as_ref().and_then(|url| url.host().parse().ok());
    HostPolicy::new("this node", settings.listen.ip(), NAME_IT)
        .with(advertised.into_iter().chain(settings.allowed_hosts.iter().cloned()))
}

/// What others are told to dial.
pub(crate) fn advertised(settings: &WebSocket, tls: &Tls, acceptor: &Acceptor) -> String {
    match &settings.advertised {
        Some(advertised) => advertised.to_string(),
        None if tls.server.is_some() => format!("wss://{}", acceptor.local_addr()),
        None => format!("ws://{}", acceptor.local_addr()),
    }
}
