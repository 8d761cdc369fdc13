use actr_lite_net::{ClearText, is_this_machine};
use hyper::Uri;
use thiserror::Error;

use crate::origin::Origin;

/// The most bytes of a data lane's address: what browsers and proxies commonly take as a URL.
pub(crate) const MAX_WS_ADDRESS_LEN: usize = 2048;

/// Where a node says that its data lane listens, as far as the text tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LaneAddress {
    is_tls: bool,
    host: String,
}

/// Why no node is told an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum WithheldAddress {
    /// Others could read what is sent there.
    #[error(
        "the address {address} would be dialled without TLS, by which others could use credentials that are shown there: \
         register one with wss://; or, where the network itself is trusted, let the registry be insecure"
    )]
    InClear { address: String },
    /// It leads whoever dials it to itself.
    #[error(
        "the address {address} is one of the registry's own machine, and was registered from another: register one that \
         others reach"
    )]
    OtherMachine { address: String },
}

impl LaneAddress {
    /// `None` for what nobody could dial.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_tls = match text.split_once("://")? {
            ("ws", _) => false,
            ("wss", _) => true,
            _ => return None,
        };
        if text.len() > MAX_WS_ADDRESS_LEN {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let host = uri.host().filter(|host| !host.is_empty())?.to_owned();
        Some(Self { is_tls, host })
    }

    /// Whether it is one of the machine of whoever dials it.
    pub(crate) fn is_this_machine(&self) -> bool {
        is_this_machine(&self.host)
    }
}

/// Whether nodes are told `address`, which was registered from `origin` at a registry that is not insecure.
///
/// A registry that speaks TLS has nodes that speak it too. One that does not is on the machine of its nodes, and so are they;
/// what a name leads to is seen by whoever dials it. Addresses of a machine itself are for the nodes of that machine: they
/// are registered from there, and [told](told_to) there. Anything else may be behind a translated address or a proxy, and
/// need not be where it was registered from.
pub(crate) fn check(address: &str, origin: &Origin) -> Result<(), WithheldAddress> {
    let Some(lane) = LaneAddress::parse(address) else {
        return Ok(());
    };
    let clear_text = match origin.is_tls {
        true => ClearText::Nowhere,
        false => ClearText::ThisMachine,
    };
    let address = || address.to_owned();
    if !lane.is_tls && !clear_text.may_admit(&lane.host) {
        Err(WithheldAddress::InClear { address: address() })
    } else if lane.is_this_machine() && !origin.is_this_machine {
        Err(WithheldAddress::OtherMachine { address: address() })
    } else {
        Ok(())
    }
}

/// Whether an asker may be told `address`: one of the registry's own machine only if it asks from there.
pub(crate) fn told_to(address: &str, is_this_machine: bool) -> bool {
    is_this_machine || !LaneAddress::parse(address).is_some_and(|lane| lane.is_this_machine())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_nobody_could_dial_is_none() {
        for (text, is_tls, host) in [
            ("ws://127.0.0.1:9", false, "127.0.0.1"),
            ("wss://host/path", true, "host"),
            ("wss://[::1]:9", true, "[::1]"),
        ] {
            let host = host.to_owned();
            assert_eq!(LaneAddress::parse(text), Some(LaneAddress { is_tls, host }), "{text}");
        }
        let long = format!("ws://{}", "a".repeat(MAX_WS_ADDRESS_LEN));
        for text in [
            "",
            "ws://",
            "http://host",
            "ws://a b",
            "ws://a\n",
            "ws://:9",
            long.as_str(),
        ] {
            assert_eq!(LaneAddress::parse(text), None, "{text}");
        }
    }

    fn check(address: &str, is_this_machine: bool, is_tls: bool) -> Option<&'static str> {
        let origin = Origin {
            address: "192.0.2.1:9".parse().unwrap(),
            is_this_machine,
            is_tls,
        };
        match super::check(address, &origin) {
            Ok(()) => None,
            Err(WithheldAddress::InClear { .. }) => Some("in clear"),
            Err(WithheldAddress::OtherMachine { .. }) => Some("other machine"),
        }
    }

    #[test]
    fn an_address_is_bound_to_what_registered_it() {
        for (address, is_this_machine, is_tls, withheld) in [
            // A registry without TLS, which is on loopback.
            ("ws://127.0.0.1:9", true, false, None),
            ("ws://localhost:9", true, false, None),
            ("ws://[::1]:9", true, false, None),
            ("ws://node.example:9", true, false, None),
            ("ws://192.0.2.7:9", true, false, Some("in clear")),
            ("wss://192.0.2.7:9", true, false, None),
            // One with TLS, from its own machine.
            ("ws://127.0.0.1:9", true, true, Some("in clear")),
            ("ws://node.example:9", true, true, Some("in clear")),
            ("wss://127.0.0.1:9", true, true, None),
            // The same from elsewhere. What is not loopback may be another than the source.
            ("ws://192.0.2.1:9", false, true, Some("in clear")),
            ("wss://192.0.2.7:9", false, true, None),
            ("wss://node.example", false, true, None),
            ("wss://127.0.0.1:9", false, true, Some("other machine")),
            ("wss://[::1]:9", false, true, Some("other machine")),
            ("wss://localhost:9", false, true, Some("other machine")),
        ] {
            assert_eq!(check(address, is_this_machine, is_tls), withheld, "{address}");
        }
    }

    #[test]
    fn an_address_of_this_machine_is_told_on_this_machine_alone() {
        for (address, told_elsewhere) in [
            ("wss://127.0.0.1:9", false),
            ("wss://localhost:9", false),
            ("wss://node.example:9", true),
            ("wss://192.0.2.7:9", true),
        ] {
            assert!(told_to(address, true), "{address}");
            assert_eq!(told_to(address, false), told_elsewhere, "{address}");
        }
    }
}
