use std::net::IpAddr;

/// Where a node shows what it is known by, its credential above all, without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearText {
    /// Everywhere: the network itself is trusted.
    Anywhere,
    /// To programs of the same machine, as the system delivers it to nobody else.
    ThisMachine,
    /// To nobody.
    Nowhere,
}

impl ClearText {
    /// Whether it may be shown at this address.
    pub fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::ThisMachine => address.to_canonical().is_loopback(),
            Self::Nowhere => false,
        }
    }

    /// Whether a host of a URL is to be dialled: an address that does not admit is not. What a name leads to is seen when
    /// it is dialled.
    pub fn may_admit(self, host: &str) -> bool {
        match host_address(host) {
            Some(address) => self.admits(address),
            None => self != Self::Nowhere,
        }
    }
}

/// Whether a host, as it is in a URL, is on the machine of whoever dials it: a loopback address, or a name that stands for
/// one (RFC 6761 §6.3).
pub fn is_this_machine(host: &str) -> bool {
    match host_address(host) {
        Some(address) => address.to_canonical().is_loopback(),
        None => {
            let name = host.strip_suffix('.').unwrap_or(host);
            let last = name.rsplit('.').next().unwrap_or_default();
            last.eq_ignore_ascii_case("localhost")
        }
    }
}

fn host_address(host: &str) -> Option<IpAddr> {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    address.unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_and_names_are_this_machine() {
        for (host, is_here) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost", true),
            ("LocalHost.", true),
            ("node.localhost", true),
            ("localhost.example", false),
            ("notlocalhost", false),
            ("0.0.0.0", false),
            ("192.0.2.1", false),
            ("[2001:db8::1]", false),
            ("", false),
        ] {
            assert_eq!(is_this_machine(host), is_here, "{host}");
        }
    }

    #[test]
    fn clear_text_goes_as_far_as_it_is_allowed() {
        for (host, on_this_machine) in [("127.0.0.1", true), ("::1", true), ("192.0.2.1", false), ("::", false)] {
            let address = host.parse().unwrap();
            for (clear_text, expected) in [
                (ClearText::Anywhere, true),
                (ClearText::ThisMachine, on_this_machine),
                (ClearText::Nowhere, false),
            ] {
                assert_eq!(clear_text.admits(address), expected, "{host} {clear_text:?}");
                assert_eq!(clear_text.may_admit(host), expected, "{host} {clear_text:?}");
            }
        }
        assert!(
            ClearText::ThisMachine.may_admit("node.example"),
            "it may be an own name"
        );
        assert!(!ClearText::Nowhere.may_admit("node.example"));
    }
}
