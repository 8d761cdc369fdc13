use std::{fmt, str::FromStr};

use thiserror::Error;
use url::{Host, Url};

/// A `ws://host:port` or `wss://host:port` URL, with or without a path, that names nothing but a place: no user, query or fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WebSocketUrl(Url);

/// The ports of `ws://` and `wss://` URLs that name none (RFC 6455 §3).
const DEFAULT_PORT: u16 = 80;
const DEFAULT_TLS_PORT: u16 = 443;

impl WebSocketUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> String {
        match self.0.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    /// Whether it is a `wss://` URL.
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "wss"
    }

    /// The port; if the text has none, 80, or 443 for `wss://`.
    pub fn port(&self) -> u16 {
        let default = if self.is_tls() { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
        self.0.port().unwrap_or(default)
    }

    /// `host:port`, as sockets are bound and connected and as the Host header has it.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.0.host_str().unwrap_or_default(), self.port())
    }

    /// The path, `/` if the text has none.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The same URL with another port, for a listener that was bound to port 0.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        let mut url = self.0.clone();
        // Can't fail: every value of this type has a host.
        let _ = url.set_port(Some(port));
        Self(url)
    }
}

/// Why a text is not a [`WebSocketUrl`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseWebSocketUrlError {
    /// It is not a URL.
    #[error("not a URL ({0})")]
    Url(#[from] url::ParseError),
    /// It has another scheme.
    #[error("the scheme is {0}")]
    Scheme(String),
    /// It has a part that says more than a place.
    #[error("a {0} has no meaning here")]
    Extra(&'static str),
}

impl FromStr for WebSocketUrl {
    type Err = ParseWebSocketUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text)?;
        match url.scheme() {
            "ws" | "wss" => {}
            scheme => return Err(ParseWebSocketUrlError::Scheme(scheme.into())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ParseWebSocketUrlError::Extra("user or password"));
        }
        if url.query().is_some() {
            return Err(ParseWebSocketUrlError::Extra("query"));
        }
        if url.fragment().is_some() {
            return Err(ParseWebSocketUrlError::Extra("fragment"));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for WebSocketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for WebSocketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocketUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_authority_always_has_a_port() {
        for (text, host, authority) in [
            ("ws://localhost", "localhost", "localhost:80"),
            ("ws://127.0.0.1:0/", "127.0.0.1", "127.0.0.1:0"),
            ("ws://[::1]:9000/x", "::1", "[::1]:9000"),
            ("ws://example.org:443", "example.org", "example.org:443"),
            ("wss://example.org", "example.org", "example.org:443"),
            ("wss://example.org:80", "example.org", "example.org:80"),
        ] {
            let url: WebSocketUrl = text.parse().unwrap();
            assert_eq!((url.host().as_str(), url.authority().as_str()), (host, authority));
        }
    }

    #[test]
    fn another_port_leaves_the_rest() {
        let url: WebSocketUrl = "ws://[::1]:0/x/y".parse().unwrap();
        assert_eq!(url.with_port(8081).as_str(), "ws://[::1]:8081/x/y");
        assert_eq!(url.with_port(80).authority(), "[::1]:80");
        let url: WebSocketUrl = "wss://localhost:0/".parse().unwrap();
        assert!(url.is_tls());
        assert_eq!(url.with_port(443).authority(), "localhost:443");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(wss?://)?(?s).{0,60}") {
            let _ = text.parse::<WebSocketUrl>();
        }
    }
}
