//! Servers that help a node behind NAT, as their URLs name them: STUN (RFC 7064) and TURN (RFC 7065).

use std::{fmt, net::Ipv6Addr, str::FromStr};

use thiserror::Error;

/// The most bytes of a URL: a host name has at most 253.
pub const MAX_URL_LEN: usize = 300;

/// The port of both, unless TLS is spoken (RFC 8489 §18.6, RFC 8656 §22).
const PORT: u16 = 3478;

/// The port of those that speak TLS.
const TLS_PORT: u16 = 5349;

/// A server that tells a node at which address others see it: `stun:host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StunUrl {
    host: Box<str>,
    port: u16,
}

/// A server that relays for a node: `turn:host:port?transport=udp`, `?transport=tcp`, or `turns:host:port` with TLS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TurnUrl {
    host: Box<str>,
    port: u16,
    transport: RelayTransport,
}

/// How a node reaches its relay. The relay reaches others over UDP, however that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayTransport {
    /// `turn:`, where nothing else is said.
    Udp,
    /// `turn:` with `?transport=tcp`, for networks that let no UDP out.
    Tcp,
    /// `turns:`: TLS over TCP.
    Tls,
}

/// Why a text is no URL of such a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseIceServerError {
    /// It does not begin with `stun:`.
    #[error("write stun:host:port, such as stun:stun.example.org:3478")]
    NotStun,
    /// It does not begin with `turn:` or `turns:`.
    #[error(
        "write turn:host:port, such as turn:turn.example.org:3478, with ?transport=tcp behind it for TCP; or \
         turns:host:port for TLS"
    )]
    NotTurn,
    /// Its host is none.
    #[error("its host is neither a name nor an IPv4 address nor an IPv6 address in brackets")]
    Host,
    /// Its port is none.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// What follows the port can't be used.
    #[error("behind the port there may be ?transport=udp or ?transport=tcp, and with turns: only the latter")]
    Transport,
    /// It is too long.
    #[error("it has more than {MAX_URL_LEN} bytes")]
    Length,
}

impl StunUrl {
    /// A name or an address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Over UDP.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl TurnUrl {
    /// A name or an address, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Of the [transport](Self::transport).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How it is reached.
    pub fn transport(&self) -> RelayTransport {
        self.transport
    }
}

impl FromStr for StunUrl {
    type Err = ParseIceServerError;

    fn from_str(text: &str) -> Result<Self, ParseIceServerError> {
        let rest = text.strip_prefix("stun:").ok_or(ParseIceServerError::NotStun)?;
        let (host, port) = authority(text, rest)?;
        let port = port.unwrap_or(PORT);
        Ok(Self { host, port })
    }
}

impl FromStr for TurnUrl {
    type Err = ParseIceServerError;

    fn from_str(text: &str) -> Result<Self, ParseIceServerError> {
        let (rest, is_tls) = match (text.strip_prefix("turn:"), text.strip_prefix("turns:")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err(ParseIceServerError::NotTurn),
        };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let transport = match (is_tls, query) {
            (false, None | Some("transport=udp")) => RelayTransport::Udp,
            (false, Some("transport=tcp")) => RelayTransport::Tcp,
            (true, None | Some("transport=tcp")) => RelayTransport::Tls,
            _ => return Err(ParseIceServerError::Transport),
        };
        let (host, port) = authority(text, rest)?;
        let port = port.unwrap_or(if is_tls { TLS_PORT } else { PORT });
        Ok(Self { host, port, transport })
    }
}

/// The host, without brackets, and the port, if there is one.
fn authority(text: &str, rest: &str) -> Result<(Box<str>, Option<u16>), ParseIceServerError> {
    if text.len() > MAX_URL_LEN {
        return Err(ParseIceServerError::Length);
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or(ParseIceServerError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| ParseIceServerError::Host)?;
            match behind.strip_prefix(':') {
                None if !behind.is_empty() => return Err(ParseIceServerError::Port),
                port => (host, port),
            }
        }
        None => {
            let (host, port) = match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            };
            let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            if host.is_empty() || !host.bytes().all(is_named) {
                return Err(ParseIceServerError::Host);
            }
            (host, port)
        }
    };
    let port = match port {
        // A sign is no part of a port, but of a number.
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = port.parse().ok().filter(|port| *port != 0);
            Some(port.ok_or(ParseIceServerError::Port)?)
        }
        Some(_) => return Err(ParseIceServerError::Port),
        None => None,
    };
    Ok((host.into(), port))
}

impl fmt::Display for StunUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stun:")?;
        write_authority(f, &self.host, self.port)
    }
}

impl fmt::Display for TurnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, query) = match self.transport {
            RelayTransport::Udp => ("turn:", ""),
            RelayTransport::Tcp => ("turn:", "?transport=tcp"),
            RelayTransport::Tls => ("turns:", ""),
        };
        f.write_str(scheme)?;
        write_authority(f, &self.host, self.port)?;
        f.write_str(query)
    }
}

fn write_authority(f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
    match host.contains(':') {
        true => write!(f, "[{host}]:{port}"),
        false => write!(f, "{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_of_a_url_has_a_default() {
        for (text, full) in [
            ("turn:example.org", "turn:example.org:3478"),
            ("turn:example.org:80?transport=udp", "turn:example.org:80"),
            ("turn:192.0.2.1?transport=tcp", "turn:192.0.2.1:3478?transport=tcp"),
            ("turns:example.org", "turns:example.org:5349"),
            ("turns:[2001:db8::1]:443?transport=tcp", "turns:[2001:db8::1]:443"),
        ] {
            let url: TurnUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), full);
            assert_eq!(full.parse(), Ok(url));
        }
        let url: StunUrl = "stun:[::1]".parse().unwrap();
        assert_eq!(
            (url.host(), url.port(), url.to_string().as_str()),
            ("::1", 3478, "stun:[::1]:3478")
        );
    }

    #[test]
    fn what_is_no_url_is_refused_with_its_reason() {
        for (text, error) in [
            ("stun:example.org", ParseIceServerError::NotTurn),
            ("turn://example.org", ParseIceServerError::Host),
            ("turn:", ParseIceServerError::Host),
            ("turn:[example.org]:1", ParseIceServerError::Host),
            ("turn:[::1", ParseIceServerError::Host),
            ("turn:a:0", ParseIceServerError::Port),
            ("turn:a:+1", ParseIceServerError::Port),
            ("turn:a:", ParseIceServerError::Port),
            ("turn:[::1]3478", ParseIceServerError::Port),
            ("turns:a?transport=udp", ParseIceServerError::Transport),
            ("turn:a?transport=sctp", ParseIceServerError::Transport),
        ] {
            assert_eq!(text.parse::<TurnUrl>(), Err(error), "{text}");
        }
        assert_eq!("turn:a".parse::<StunUrl>(), Err(ParseIceServerError::NotStun));
        let long = format!("turn:{}", "a".repeat(MAX_URL_LEN));
        assert_eq!(long.parse::<TurnUrl>(), Err(ParseIceServerError::Length));
    }
}
