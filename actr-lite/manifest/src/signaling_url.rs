use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer};
use thiserror::Error;

use crate::{
    expecting::parsed,
    websocket_url::{ParseWebSocketUrlError, WebSocketUrl},
};

/// How the path of every registry's signaling URL ends.
pub const SIGNALING_PATH: &str = "/signaling/ws";

/// Where a registry is: a [`WebSocketUrl`] whose path ends with [`SIGNALING_PATH`].
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SignalingUrl(WebSocketUrl);

impl SignalingUrl {
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

impl<'de> Deserialize<'de> for SignalingUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
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
    fn a_port_that_was_chosen_by_the_system_is_written_into_it() {
        let url: SignalingUrl = "ws://127.0.0.1:0/a/signaling/ws".parse().unwrap();
        assert_eq!(url.with_port(4321).as_str(), "ws://127.0.0.1:4321/a/signaling/ws");
    }
}
