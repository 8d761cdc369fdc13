//! By which names a listener may be addressed.
//!
//! A web page can make its own name lead to any address ("DNS rebinding"), and then its requests to a listener on the
//! user's machine are of the same origin to the browser. They still say where they come from: `Host` has the page's name,
//! and `Origin` too. A listener that answers to its own names only is out of the page's reach.

use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

use thiserror::Error;

use crate::peer_text::PeerText;

/// The name that every machine has for itself.
const LOCALHOST: &str = "localhost";

/// The most bytes of a name (RFC 1035 §2.3.4), which an address has fewer of.
const MAX_NAME_LEN: usize = 253;

/// A host without a port: a name, in lower case and without a dot at its end, or an IP address without brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Box<str>);

/// A text that is no host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a host: write a name or an IP address, without scheme and port, like registry.example.org")]
pub struct ParseHostNameError(PeerText);

impl HostName {
    /// The name or address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn ip(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

impl FromStr for HostName {
    type Err = ParseHostNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseHostNameError(text.into());
        let unbracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some(address) = unbracketed.or_else(|| text.contains(':').then_some(text)) {
            let address: IpAddr = address.parse().map_err(|_| error())?;
            return Ok(address.into());
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            !label.is_empty() && label.bytes().all(is_allowed)
        };
        let is_name = name.len() <= MAX_NAME_LEN && name.split('.').all(is_label);
        if is_name {
            Ok(Self(name.to_ascii_lowercase().into()))
        } else {
            Err(error())
        }
    }
}

impl From<IpAddr> for HostName {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().to_string().into())
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a request says about where it was sent, and from which page.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addressed<'a> {
    /// The host and port of a target that has them (`GET http://host/ HTTP/1.1`).
    pub target: Option<&'a [u8]>,
    /// The header `Host`, and whether there is a second one.
    pub host: Option<&'a [u8]>,
    /// Whether there is more than one `Host`.
    pub has_several_hosts: bool,
    /// The header `Origin`, which only browsers send. Of several the first one.
    pub origin: Option<&'a [u8]>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HostRefusal {
    /// It does not say once to which host it was sent.
    #[error("the request needs one Host header with a host and a port, like 127.0.0.1:8081")]
    NoHost,
    /// It was sent to a name that is not this listener's.
    #[error("{listener} is not known as {host}: if it is to be reached by that name, {remedy}")]
    OtherHost {
        /// What was addressed.
        listener: &'static str,
        /// The name.
        host: PeerText,
        /// What to do.
        remedy: &'static str,
    },
    /// It comes from a web page of another host.
    #[error("{listener} takes no requests from web pages of {origin}: if that host is to be allowed, {remedy}")]
    OtherOrigin {
        /// What was addressed.
        listener: &'static str,
        /// The page's origin.
        origin: PeerText,
        /// What to do.
        remedy: &'static str,
    },
}

impl HostRefusal {
    /// The status of the answer: RFC 9112 §3.2, RFC 9110 §15.5.20, RFC 6455 §4.2.2.
    pub fn status(&self) -> u16 {
        match self {
            Self::NoHost => 400,
            Self::OtherHost { .. } => 421,
            Self::OtherOrigin { .. } => 403,
        }
    }
}

/// The hosts of one listener. Ports don't count: a relay in front may have another one.
///
/// - its own: `localhost`, the address that it listens on, those [named](Self::with), and those of its certificate. On
///   loopback, or on all addresses, each loopback address is its own too.
/// - By any other IP address it may be addressed only if it listens beyond loopback: an address may be translated on the
///   way, and a page that is addressed by an address was served from there.
/// - An `Origin` has to be one of its own, or the host that the same request is addressed to.
#[derive(Debug, Clone)]
pub struct HostPolicy {
    listener: &'static str,
    remedy: &'static str,
    bound: IpAddr,
    names: BTreeSet<HostName>,
}

impl HostPolicy {
    /// For a listener on `bound`. An error calls it `listener`, and says in `remedy` how to name another host.
    pub fn new(listener: &'static str, bound: IpAddr, remedy: &'static str) -> Self {
        Self {
            listener,
            remedy,
            bound: bound.to_canonical(),
            names: BTreeSet::new(),
        }
    }

    /// With these hosts.
    #[must_use]
    pub fn with(mut self, names: impl IntoIterator<Item = HostName>) -> Self {
        self.names.extend(names);
        self
    }

    /// Whether to answer a request; `is_certified` says whether a certificate of the listener is for a host, which no
    /// page can have one for.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, request: Addressed<'_>, is_certified: impl Fn(&str) -> bool) -> Result<(), HostRefusal> {
        let named = request.host.filter(|_| !request.has_several_hosts);
        let host = named.and_then(host_of).ok_or(HostRefusal::NoHost)?;
        let target = match request.target {
            Some(target) => Some(host_of(target).ok_or(HostRefusal::NoHost)?),
            None => None,
        };
        for host in target.iter().chain([&host]) {
            let may_be_translated = host.ip().is_some() && !self.bound.is_loopback();
            if !may_be_translated && !self.is_own(host, &is_certified) {
                return Err(HostRefusal::OtherHost {
                    listener: self.listener,
                    host: host.as_str().into(),
                    remedy: self.remedy,
                });
            }
        }
        let Some(origin) = request.origin else {
            return Ok(());
        };
        let origin_host = origin_host(origin);
        if origin_host.is_some_and(|origin| origin == host || self.is_own(&origin, &is_certified)) {
            return Ok(());
        }
        Err(HostRefusal::OtherOrigin {
            listener: self.listener,
            origin: PeerText::new(&String::from_utf8_lossy(origin)),
            remedy: self.remedy,
        })
    }

    fn is_own(&self, host: &HostName, is_certified: impl Fn(&str) -> bool) -> bool {
        if self.names.contains(host) {
            return true;
        }
        match host.ip() {
            Some(ip) => {
                let has_loopback = self.bound.is_loopback() || self.bound.is_unspecified();
                ip == self.bound || (ip.is_loopback() && has_loopback) || is_certified(host.as_str())
            }
            None => host.as_str() == LOCALHOST || is_certified(host.as_str()),
        }
    }
}

/// The host of `host` or `host:port`.
fn host_of(authority: &[u8]) -> Option<HostName> {
    let authority = str::from_utf8(authority).ok()?;
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            if !port.bytes().all(|byte| byte.is_ascii_digit()) || host.contains(':') && !host.starts_with('[') {
                return None;
            }
            host
        }
        _ => authority,
    };
    host.parse().ok()
}

/// The host of an origin as browsers write it (RFC 6454 §6.1); none for `null`.
fn origin_host(origin: &[u8]) -> Option<HostName> {
    let at = origin.windows(3).position(|window| window == b"://")?;
    host_of(&origin[at + 3..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(bound: &str) -> HostPolicy {
        HostPolicy::new("this door", bound.parse().unwrap(), "name it").with(["Door.example".parse().unwrap()])
    }

    fn status(policy: &HostPolicy, host: &str, origin: Option<&str>) -> u16 {
        let request = Addressed {
            host: Some(host.as_bytes()),
            origin: origin.map(str::as_bytes),
            ..Addressed::default()
        };
        match policy.check(request, |name| name == "certified.example") {
            Ok(()) => 200,
            Err(refusal) => refusal.status(),
        }
    }

    #[test]
    fn on_loopback_only_own_names_are_answered() {
        for bound in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let policy = policy(bound);
            for host in [
                "localhost",
                "LOCALHOST.:8081",
                "127.0.0.1:1",
                "127.9.9.9",
                "[::1]:8081",
                "[::ffff:127.0.0.1]:8081",
                "door.example",
                "DOOR.example.:80",
                "door.example:",
                "certified.example:443",
            ] {
                assert_eq!(status(&policy, host, None), 200, "{bound} {host}");
            }
            for host in [
                "evil.example:8081",
                "door.example.evil.example",
                "sub.door.example",
                "192.0.2.1",
                "0.0.0.0:8081",
                "[2001:db8::1]:80",
                "127.1",
                "localhost.evil.example",
            ] {
                assert_eq!(status(&policy, host, None), 421, "{bound} {host}");
            }
            for host in [
                "",
                ":80",
                "a b",
                "evil@localhost",
                "localhost:80:80",
                "::1",
                "[::1",
                "localhost:x",
                "a/b",
            ] {
                assert_eq!(status(&policy, host, None), 400, "{bound} {host}");
            }
        }
    }

    #[test]
    fn beyond_loopback_any_address_but_no_other_name_is_answered() {
        for bound in ["0.0.0.0", "::", "192.0.2.1"] {
            let policy = policy(bound);
            for host in [
                "198.51.100.7:8081",
                "[2001:db8::1]",
                "192.0.2.1",
                "door.example",
                "localhost",
            ] {
                assert_eq!(status(&policy, host, None), 200, "{bound} {host}");
            }
            assert_eq!(status(&policy, "evil.example", None), 421);
            assert_eq!(status(&policy, "198.51.100.7", Some("http://198.51.100.7:3000")), 200);
            assert_eq!(status(&policy, "198.51.100.7", Some("http://198.51.100.8")), 403);
        }
    }

    #[test]
    fn a_page_of_another_host_is_refused_whatever_it_addresses() {
        let policy = policy("127.0.0.1");
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1",
            "https://door.example",
            "https://certified.example",
        ] {
            assert_eq!(status(&policy, "127.0.0.1:8081", Some(origin)), 200, "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://evil.example:8081",
            "http://192.0.2.1",
            "chrome-extension://abcdef",
            "http://localhost@evil.example",
            "http://localhost/",
            "localhost",
        ] {
            assert_eq!(status(&policy, "127.0.0.1:8081", Some(origin)), 403, "{origin}");
        }
    }

    #[test]
    fn the_target_counts_as_much_as_the_header() {
        let policy = policy("127.0.0.1");
        let request = Addressed {
            target: Some(b"evil.example:80"),
            host: Some(b"localhost"),
            ..Addressed::default()
        };
        assert_eq!(
            policy.check(request, |_| false).map_err(|error| error.status()),
            Err(421)
        );
        let request = Addressed {
            host: Some(b"localhost"),
            has_several_hosts: true,
            ..Addressed::default()
        };
        assert_eq!(policy.check(request, |_| false), Err(HostRefusal::NoHost));
        assert_eq!(policy.check(Addressed::default(), |_| false), Err(HostRefusal::NoHost));
    }

    #[test]
    fn a_refusal_says_what_to_do_in_one_line() {
        let request = Addressed {
            host: Some(b"evil.example"),
            ..Addressed::default()
        };
        let refusal = policy("127.0.0.1").check(request, |_| false).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "this door is not known as evil.example: if it is to be reached by that name, name it"
        );
    }

    #[test]
    fn a_name_has_no_empty_parts() {
        for text in ["", ".", "..", "a..b", ".a", "a..", "-_.."] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
        assert_eq!("A.b.".parse::<HostName>().unwrap().as_str(), "a.b");
    }

    proptest! {
        #[test]
        fn a_host_that_is_read_is_written_as_one_that_reads_the_same(text in "[a-zA-Z0-9.:\\[\\]-]{0,20}") {
            if let Ok(host) = text.parse::<HostName>() {
                prop_assert_eq!(host.to_string().parse::<HostName>(), Ok(host));
            }
        }

        #[test]
        fn no_header_makes_it_panic_or_lets_another_name_in(host in any::<Vec<u8>>(), origin in any::<Vec<u8>>()) {
            let request = Addressed { host: Some(&host), origin: Some(&origin), ..Addressed::default() };
            if policy("127.0.0.1").check(request, |_| false).is_ok() {
                prop_assert!(host_of(&host).is_some() && origin_host(&origin).is_some());
            }
        }
    }
}
