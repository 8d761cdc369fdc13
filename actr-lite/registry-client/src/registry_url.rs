use std::{fmt, str::FromStr};

use hyper::Uri;
use thiserror::Error;

/// The path that ends every signaling address; AIS is beside it.
const SIGNALING_PATH: &str = "/signaling/ws";

/// The ports of `ws` and `wss` without one (RFC 6455 §3).
const DEFAULT_PORT: u16 = 80;
const DEFAULT_TLS_PORT: u16 = 443;

/// Where a registry is: `ws://host:port/signaling/ws`, which also tells its AIS, `http://host:port/ais`, or with TLS
/// `wss` and `https`. A path before `/signaling/ws` is a path before `/ais` as well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryUrl {
    is_tls: bool,
    authority: String,
    host: String,
    port: u16,
    prefix: String,
}

impl RegistryUrl {
    /// Whether the registry speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host's name or address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port of AIS and signaling.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as a `Host` header has them.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of signaling.
    pub(crate) fn signaling_path(&self) -> String {
        format!("{}{SIGNALING_PATH}", self.prefix)
    }

    /// The path of an AIS action.
    pub(crate) fn ais_path(&self, action: &str) -> String {
        format!("{}/ais/{action}", self.prefix)
    }
}

/// Why a text is not the address of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseRegistryUrlError {
    /// It has another form.
    #[error("registry address {0:?} is not of the form ws://host:port{SIGNALING_PATH}, or wss:// with TLS")]
    Form(String),
}

impl FromStr for RegistryUrl {
    type Err = ParseRegistryUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || ParseRegistryUrlError::Form(text.into());
        let uri: Uri = text.parse().map_err(|_| form())?;
        let is_tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(form()),
        };
        let authority = uri.authority().ok_or_else(form)?;
        let prefix = uri.path().strip_suffix(SIGNALING_PATH).ok_or_else(form)?;
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") if is_tls => DEFAULT_TLS_PORT,
            Some("") => DEFAULT_PORT,
            Some(port) => port.trim_start_matches(':').parse().map_err(|_| form())?,
            None => return Err(form()),
        };
        // As a Host header has it (RFC 9110 §4.2.3).
        let is_default = port == if is_tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT };
        let shown = if is_default {
            authority.host()
        } else {
            authority.as_str()
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let plain = uri.query().is_none() && !text.contains('#');
        if host.is_empty() || port == 0 || !plain {
            return Err(form());
        }
        Ok(Self {
            is_tls,
            authority: shown.into(),
            host: host.into(),
            port,
            prefix: prefix.into(),
        })
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}{SIGNALING_PATH}", self.authority, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_tells_where_signaling_and_ais_are() {
        let url: RegistryUrl = "ws://127.0.0.1:8081/signaling/ws".parse().unwrap();
        assert_eq!((url.host(), url.port()), ("127.0.0.1", 8081));
        assert_eq!(url.ais_path("register"), "/ais/register");
        assert_eq!(url.to_string(), "ws://127.0.0.1:8081/signaling/ws");

        let url: RegistryUrl = "ws://[::1]/a/signaling/ws".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.authority()), ("::1", 80, "[::1]"));
        assert_eq!(url.ais_path("renew"), "/a/ais/renew");
        assert!(!url.is_tls());

        let url: RegistryUrl = "wss://localhost/signaling/ws".parse().unwrap();
        assert_eq!((url.is_tls(), url.host(), url.port()), (true, "localhost", 443));
        assert_eq!(url.to_string(), "wss://localhost/signaling/ws");
    }

    #[test]
    fn the_default_port_is_left_out_of_the_host_header() {
        for (text, authority) in [
            ("ws://example.org:80/signaling/ws", "example.org"),
            ("wss://[::1]:443/signaling/ws", "[::1]"),
            ("ws://example.org:443/signaling/ws", "example.org:443"),
        ] {
            let url: RegistryUrl = text.parse().unwrap();
            assert_eq!(url.authority(), authority, "{text}");
        }
    }

    #[test]
    fn another_form_is_refused_with_the_right_one() {
        for text in [
            "",
            "127.0.0.1:8081",
            "http://127.0.0.1:8081/signaling/ws",
            "ws://127.0.0.1:8081",
            "ws://127.0.0.1:8081/ais",
            "ws://127.0.0.1:0/signaling/ws",
            "ws://127.0.0.1:99999/signaling/ws",
            "ws://user@127.0.0.1:80/signaling/ws",
            "ws://127.0.0.1:80/signaling/ws?a=b",
            "ws://127.0.0.1:80/signaling/ws#a",
        ] {
            let error = text.parse::<RegistryUrl>().unwrap_err();
            assert!(error.to_string().contains("ws://host:port/signaling/ws"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(wss?://|\\[|\\]|:|/signaling/ws|[ -~]){0,10}") {
            if let Ok(url) = text.parse::<RegistryUrl>() {
                prop_assert_eq!(url.to_string().parse::<RegistryUrl>().unwrap(), url);
            }
        }
    }
}
