use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use http::{Uri, uri::Authority};
use serde::{Deserialize, Deserializer, de::Error as _};
use thiserror::Error;

/// A `ws://host:port` or `wss://host:port` URL, with or without a path, that names only a place: no user, query
/// or fragment. Its text has the host in lower case, and no port that is its scheme's own.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WebSocketUrl {
    is_tls: bool,
    host: Box<str>,
    port: u16,
    path: Box<str>,
    text: Box<str>,
}

/// The ports of `ws://` and `wss://` URLs that name none (RFC 6455 §3).
const DEFAULT_PORT: u16 = 80;
const DEFAULT_TLS_PORT: u16 = 443;

impl WebSocketUrl {
    fn new(is_tls: bool, host: &str, port: u16, path: &str) -> Self {
        let scheme = if is_tls { "wss" } else { "ws" };
        let bracketed = bracketed(host);
        let text = if port == default_port(is_tls) {
            format!("{scheme}://{bracketed}{path}")
        } else {
            format!("{scheme}://{bracketed}:{port}{path}")
        };
        Self {
            is_tls,
            host: host.into(),
            port,
            path: path.into(),
            text: text.into(),
        }
    }

    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host's name or address, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host, if it is an IP address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether it is a `wss://` URL.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The port; if the text has none, 80, or 443 for `wss://`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as sockets are bound and connected.
    pub fn authority(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }

    /// The same as a Host header has it: without the scheme's own port (RFC 9110 §4.2.3).
    pub fn host_header(&self) -> String {
        if self.port == default_port(self.is_tls) {
            bracketed(&self.host)
        } else {
            self.authority()
        }
    }

    /// The path, `/` if the text has none.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same URL with another port, for a listener that was bound to port 0.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        Self::new(self.is_tls, &self.host, port, &self.path)
    }
}

fn default_port(is_tls: bool) -> u16 {
    if is_tls { DEFAULT_TLS_PORT } else { DEFAULT_PORT }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.into()
    }
}

/// Why a text is not a [`WebSocketUrl`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseWebSocketUrlError {
    /// It is not a URL.
    #[error("not a URL ({0})")]
    Url(String),
    /// It has another scheme.
    #[error("the scheme is {0}")]
    Scheme(String),
    /// It has a part that says more than a place.
    #[error("a {0} has no meaning here")]
    Extra(&'static str),
}

impl ParseWebSocketUrlError {
    fn url(problem: impl fmt::Display) -> Self {
        Self::Url(problem.to_string())
    }
}

impl FromStr for WebSocketUrl {
    type Err = ParseWebSocketUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = split_scheme(text)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            other => return Err(ParseWebSocketUrlError::Scheme(other.into())),
        };
        if !rest.starts_with("//") {
            return Err(ParseWebSocketUrlError::url("no // behind the scheme"));
        }
        if !text.is_ascii() {
            return Err(ParseWebSocketUrlError::url(
                "write a host with other letters than ASCII's in its xn-- form, and such a path with %XX",
            ));
        }
        let uri: Uri = text.parse().map_err(ParseWebSocketUrlError::url)?;
        let authority = uri.authority().map_or("", Authority::as_str);
        if authority.contains('@') {
            return Err(ParseWebSocketUrlError::Extra("user or password"));
        }
        if uri.query().is_some() {
            return Err(ParseWebSocketUrlError::Extra("query"));
        }
        // What reads URIs for HTTP drops it.
        if text.contains('#') {
            return Err(ParseWebSocketUrlError::Extra("fragment"));
        }
        let (host, port) = split_port(authority);
        let port = match port {
            None | Some("") => default_port(is_tls),
            Some(port) => parse_port(port)?,
        };
        Ok(Self::new(is_tls, &parse_host(host)?, port, uri.path()))
    }
}

/// What precedes the first colon, if that can be a scheme (RFC 3986 §3.1), and what follows it.
fn split_scheme(text: &str) -> Result<(&str, &str), ParseWebSocketUrlError> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    text.split_once(':')
        .filter(|(scheme, _)| is_scheme(scheme))
        .ok_or_else(|| ParseWebSocketUrlError::url("relative URL without a base"))
}

/// The host, an IPv6 address with its brackets, and what follows the colon behind it.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn parse_port(port: &str) -> Result<u16, ParseWebSocketUrlError> {
    // A sign is no digit, though Rust's own parser takes one.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|_| is_number);
    number.ok_or_else(|| ParseWebSocketUrlError::url("invalid port number"))
}

/// A host without brackets: a name, or an address as it is usually written.
fn parse_host(host: &str) -> Result<String, ParseWebSocketUrlError> {
    if host.is_empty() {
        return Err(ParseWebSocketUrlError::url("empty host"));
    }
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').and_then(|address| address.parse().ok());
        let address: Ipv6Addr = address.ok_or_else(|| ParseWebSocketUrlError::url("invalid IPv6 address"))?;
        return Ok(address.to_string());
    }
    if !host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    {
        return Err(ParseWebSocketUrlError::url("invalid host name"));
    }
    // No name ends so; some would read 127.1 as an address, some would not.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if last.starts_with(|c: char| c.is_ascii_digit()) && host.parse::<Ipv4Addr>().is_err() {
        return Err(ParseWebSocketUrlError::url("invalid IPv4 address"));
    }
    Ok(host.to_ascii_lowercase())
}

impl<'de> Deserialize<'de> for WebSocketUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url: Result<Self, _> = String::deserialize(deserializer)?.parse();
        url.map_err(|error| D::Error::custom(format_args!("{error}: write ws://host:port, or wss:// with TLS")))
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
            ("ws://[::1]", "::1", "[::1]:80"),
            ("ws://example.org:443", "example.org", "example.org:443"),
            ("wss://example.org", "example.org", "example.org:443"),
            ("wss://example.org:", "example.org", "example.org:443"),
            ("wss://example.org:80", "example.org", "example.org:80"),
        ] {
            let url: WebSocketUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.authority().as_str()), (host, authority));
        }
    }

    #[test]
    fn two_spellings_of_a_place_are_the_same_url() {
        for (text, same) in [
            ("ws://example.org", "ws://example.org/"),
            ("ws://example.org:80/x", "ws://example.org/x"),
            ("wss://example.org:443/", "wss://example.org/"),
            ("wss://example.org:80/", "wss://example.org:80/"),
            ("WS://Example.ORG/Path", "ws://example.org/Path"),
            ("ws://[0:0:0::1]:080", "ws://[::1]/"),
            ("ws://xn--bcher-kva.example:9/", "ws://xn--bcher-kva.example:9/"),
        ] {
            let url: WebSocketUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), same);
            assert_eq!(url, same.parse().unwrap());
        }
    }

    #[test]
    fn what_names_no_place_is_refused_with_the_reason() {
        let mut reasons = String::new();
        for text in [
            "",
            "example.org",
            "//example.org",
            "example.org:80",
            "http://example.org",
            "ws:",
            "ws:example.org",
            "ws://",
            "ws:///path",
            "ws://:80/",
            "ws://user@example.org",
            "ws://user:password@example.org",
            "ws://@example.org",
            "ws://example.org/?a=b",
            "ws://example.org?a=b",
            "ws://example.org/#here",
            "ws://example.org#here",
            "ws://example.org:65536",
            "ws://example.org:+80",
            "ws://example.org:eighty",
            "ws://example.org:80:80",
            "ws://::1/",
            "ws://[::1",
            "ws://[::g]:80",
            "ws://[fe80::1%25eth0]:80",
            "ws://[127.0.0.1]",
            "ws://256.0.0.1",
            "ws://127.1",
            "ws://0x7f000001",
            "ws://example.0",
            "ws://b\u{fc}cher.example",
            "ws://example.org/\u{fc}",
            "ws://ex%61mple.org",
            "ws://*.example.org",
            "ws://:[]",
            "ws://exa mple.org",
            "ws://example.org/a b",
            " ws://example.org",
        ] {
            let error = text.parse::<WebSocketUrl>().unwrap_err();
            reasons.push_str(&format!("{text}: {error}\n"));
        }
        insta::assert_snapshot!(reasons, @r"
        : not a URL (relative URL without a base)
        example.org: not a URL (relative URL without a base)
        //example.org: not a URL (relative URL without a base)
        example.org:80: the scheme is example.org
        http://example.org: the scheme is http
        ws:: not a URL (no // behind the scheme)
        ws:example.org: not a URL (no // behind the scheme)
        ws://: not a URL (empty string)
        ws:///path: not a URL (invalid format)
        ws://:80/: not a URL (empty host)
        ws://user@example.org: a user or password has no meaning here
        ws://user:password@example.org: a user or password has no meaning here
        ws://@example.org: a user or password has no meaning here
        ws://example.org/?a=b: a query has no meaning here
        ws://example.org?a=b: a query has no meaning here
        ws://example.org/#here: a fragment has no meaning here
        ws://example.org#here: a fragment has no meaning here
        ws://example.org:65536: not a URL (invalid port number)
        ws://example.org:+80: not a URL (invalid port number)
        ws://example.org:eighty: not a URL (invalid port number)
        ws://example.org:80:80: not a URL (invalid authority)
        ws://::1/: not a URL (invalid authority)
        ws://[::1: not a URL (invalid authority)
        ws://[::g]:80: not a URL (invalid IPv6 address)
        ws://[fe80::1%25eth0]:80: not a URL (invalid IPv6 address)
        ws://[127.0.0.1]: not a URL (invalid IPv6 address)
        ws://256.0.0.1: not a URL (invalid IPv4 address)
        ws://127.1: not a URL (invalid IPv4 address)
        ws://0x7f000001: not a URL (invalid IPv4 address)
        ws://example.0: not a URL (invalid IPv4 address)
        ws://bücher.example: not a URL (write a host with other letters than ASCII's in its xn-- form, and such a path with %XX)
        ws://example.org/ü: not a URL (write a host with other letters than ASCII's in its xn-- form, and such a path with %XX)
        ws://ex%61mple.org: not a URL (invalid authority)
        ws://*.example.org: not a URL (invalid host name)
        ws://:[]: not a URL (invalid host name)
        ws://exa mple.org: not a URL (invalid uri character)
        ws://example.org/a b: not a URL (invalid uri character)
         ws://example.org: not a URL (relative URL without a base)
        ");
    }

    #[test]
    fn a_host_header_has_no_default_port() {
        for (text, header) in [
            ("ws://example.org:80/", "example.org"),
            ("wss://example.org:443/", "example.org"),
            ("wss://[::1]/", "[::1]"),
            ("ws://example.org:443/", "example.org:443"),
            ("wss://[::1]:80/", "[::1]:80"),
        ] {
            let url: WebSocketUrl = text.parse().unwrap();
            assert_eq!(url.host_header(), header, "{text}");
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

        #[test]
        fn a_url_is_read_back_as_it_is_written(text in "wss?://(\\[|\\]|:|/|[a-z0-9._%@#?+-]){1,12}") {
            if let Ok(url) = text.parse::<WebSocketUrl>() {
                prop_assert_eq!(url.as_str().parse::<WebSocketUrl>().unwrap(), url);
            }
        }
    }
}
