use std::{fmt, ops::Deref, str::FromStr};

use thiserror::Error;
use url::Url;

use crate::{ParseWebSocketUrlError, WebSocketUrl};

/// How the path of every registry's signaling URL ends.
pub const SIGNALING_PATH: &str = "/signaling/ws";

/// How the path of the same registry's AIS ends.
const AIS_PATH: &str = "/ais";

/// Where a registry is: a [`WebSocketUrl`] whose path ends with [`SIGNALING_PATH`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SignalingUrl(WebSocketUrl);

impl SignalingUrl {
    /// Where the registry's AIS is, without a slash at the end: `http://host:port/ais` for
    /// `ws://host:port/signaling/ws`, and `https` for `wss`. What precedes that path, if anything, is kept.
    pub fn ais_url(&self) -> Url {
        let mut url = self.0.as_url().clone();
        let prefix = self.path().strip_suffix(SIGNALING_PATH).unwrap_or_default();
        url.set_path(&format!("{prefix}{AIS_PATH}"));
        // Can't fail: all four are schemes of the same kind (URL Standard, "special scheme").
        let _ = url.set_scheme(if self.is_tls() { "https" } else { "http" });
        url
    }

    /// The same URL with another port, for a registry that was bound to port 0.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        Self(self.0.with_port(port))
    }
}

impl Deref for SignalingUrl {
    type Target = WebSocketUrl;

    fn deref(&self) -> &WebSocketUrl {
        &self.0
    }
}

/// Why a text is not a [`SignalingUrl`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseSignalingUrlError {
    /// It is not a WebSocket URL.
    #[error("{0}: write ws://host:port{SIGNALING_PATH}, or wss:// with TLS")]
    Url(#[from] ParseWebSocketUrlError),
    /// The path is another one.
    #[error("the path is {0}: write ws://host:port{SIGNALING_PATH}, or wss:// with TLS")]
    Path(String),
}

impl FromStr for SignalingUrl {
    type Err = ParseSignalingUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: WebSocketUrl = text.parse()?;
        if url.path().ends_with(SIGNALING_PATH) {
            return Ok(Self(url));
        }
        Err(ParseSignalingUrlError::Path(url.path().into()))
    }
}

impl fmt::Display for SignalingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for SignalingUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignalingUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ais_is_beside_the_signaling_path() {
        for (signaling, ais) in [
            ("ws://127.0.0.1:8081/signaling/ws", "http://127.0.0.1:8081/ais"),
            ("ws://[::1]:8081/signaling/ws", "http://[::1]:8081/ais"),
            ("wss://[::1]:8081/signaling/ws", "https://[::1]:8081/ais"),
            ("wss://registry.example/signaling/ws", "https://registry.example/ais"),
            ("ws://registry.example/signaling/ws", "http://registry.example/ais"),
            (
                "ws://registry.example:9/a/b/signaling/ws",
                "http://registry.example:9/a/b/ais",
            ),
        ] {
            let url: SignalingUrl = signaling.parse().unwrap();
            assert_eq!(url.ais_url().as_str(), ais);
        }
    }

    #[test]
    fn a_port_that_was_chosen_by_the_system_is_written_into_both() {
        let url: SignalingUrl = "ws://127.0.0.1:0/signaling/ws".parse().unwrap();
        let url = url.with_port(4321);
        assert_eq!(url.as_str(), "ws://127.0.0.1:4321/signaling/ws");
        assert_eq!(url.ais_url().as_str(), "http://127.0.0.1:4321/ais");
    }
}
