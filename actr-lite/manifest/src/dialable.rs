use std::net::IpAddr;

/// Whether somebody on another machine, or on this one, can be told to dial this address.
pub(crate) fn is_dialable(address: IpAddr) -> bool {
    let is_link_local = match address.to_canonical() {
        // Without its interface, which a URL can't name, such an address leads nowhere.
        IpAddr::V6(address) => address.is_unicast_link_local(),
        IpAddr::V4(address) => address.is_broadcast(),
    };
    !is_link_local && !address.to_canonical().is_unspecified() && !address.to_canonical().is_multicast()
}

/// Whether a listener at `listen` surely misses what is sent to `dialled` on the same port: both are on this machine.
pub(crate) fn misses(listen: IpAddr, dialled: IpAddr) -> bool {
    let (listen, dialled) = (listen.to_canonical(), dialled.to_canonical());
    let takes_all = listen.is_unspecified() && (listen.is_ipv6() || dialled.is_ipv4());
    dialled.is_loopback() && listen != dialled && !takes_all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_of_no_machine_is_not_dialable() {
        for text in [
            "0.0.0.0",
            "::",
            "::ffff:0.0.0.0",
            "224.0.0.1",
            "ff02::1",
            "fe80::1",
            "255.255.255.255",
        ] {
            assert!(!is_dialable(address(text)), "{text}");
        }
        for text in ["127.0.0.1", "::1", "192.0.2.1", "169.254.0.1", "2001:db8::1", "fd00::1"] {
            assert!(is_dialable(address(text)), "{text}");
        }
    }

    #[test]
    fn a_listener_misses_what_is_sent_to_another_loopback_address() {
        for (listen, dialled, is_missed) in [
            ("127.0.0.1", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.2", true),
            ("127.0.0.1", "::1", true),
            ("::1", "127.0.0.1", true),
            ("0.0.0.0", "127.0.0.1", false),
            ("0.0.0.0", "::1", true),
            ("::", "::1", false),
            ("::", "127.0.0.1", false),
            ("::ffff:127.0.0.1", "127.0.0.1", false),
            ("10.0.0.1", "127.0.0.1", true),
            ("10.0.0.1", "192.0.2.1", false),
        ] {
            assert_eq!(
                misses(address(listen), address(dialled)),
                is_missed,
                "{listen} {dialled}"
            );
        }
    }
}
