//! Where a node shows its credential without TLS, and where it lets others show theirs.

use actr_lite_manifest::{System, WebSocket};
use actr_lite_net::ClearText;
use actr_lite_tls::Tls;
use thiserror::Error;

/// A credential would be sent where others could read it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InClearError {
    /// This node's, to its registry.
    #[error(
        "[system.signaling] url: {url}: this node's credential is not sent to another machine without TLS: write wss://; \
         or, where the network itself is trusted, add insecure = true to [system]"
    )]
    Registry {
        /// Where the registry is.
        url: String,
    },
    /// Those of others, to this node.
    #[error(
        "[system.websocket] {key}: no node would show its credential at {address} without TLS: add cert and key to \
         [system.tls], and write wss:// where an address is advertised; or add visible = false to [system.discovery], if \
         nobody is to dial this node; or, where the network itself is trusted, add insecure = true to [system]"
    )]
    DataLane {
        /// Which key says where it is dialled.
        key: &'static str,
        /// Where that is.
        address: String,
    },
}

/// Where this node shows its credential without TLS. If its registry speaks TLS, other nodes do so too; otherwise registry
/// and nodes are on this machine.
pub(crate) fn of(system: &System) -> Result<ClearText, InClearError> {
    let url = &system.signaling.url;
    if system.insecure {
        Ok(ClearText::Anywhere)
    } else if url.is_tls() {
        Ok(ClearText::Nowhere)
    } else if ClearText::ThisMachine.may_admit(url.host()) {
        Ok(ClearText::ThisMachine)
    } else {
        Err(InClearError::Registry { url: url.to_string() })
    }
}

/// Whether nodes that have the same registry dial this one, as far as its address tells.
pub(crate) fn check_lane(clear_text: ClearText, settings: &WebSocket, tls: &Tls) -> Result<(), InClearError> {
    let (key, address, is_clear, may_admit) = match &settings.advertised {
        Some(url) => (
            "advertised",
            url.to_string(),
            !url.is_tls(),
            clear_text.may_admit(url.host()),
        ),
        None => {
            let listen = settings.listen;
            let may_admit = clear_text.admits(listen.ip());
            ("listen", listen.to_string(), tls.server.is_none(), may_admit)
        }
    };
    match is_clear && !may_admit {
        true => Err(InClearError::DataLane { key, address }),
        false => Ok(()),
    }
}
