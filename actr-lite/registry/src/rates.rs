use std::time::Duration;

use actr_lite_net::source::Source;
use actr_lite_wire::{
    identity::ActrId,
    rate_limit::{Rate, RateExceeded, RateLimit},
};

/// Registrations from one address, connections from there that are not of a registered node, and requests to connect or to
/// renew that are refused as wrong. The burst lets 800 nodes
/// behind one address start at once, or register again when the registry was restarted, which takes two each. At this rate
/// an address that registers nodes and goes away has fewer than half of the 10,000 at any time, as they are forgotten after
/// 15 s.
const REGISTRATIONS: Rate = Rate {
    burst: 2048,
    per_second: 128,
};

/// Connections of one registered node. One that loses each at once tries again after a second; what remains costs a
/// thousandth of a processor.
const RECONNECTS: Rate = Rate {
    burst: 512,
    per_second: 10,
};

/// Questions and relayed messages of one node. The burst is four times what a node of this project asks at once; the rate
/// is more than it needs to look for a server for each of its calls, and a hundred of such nodes keep one processor busy.
const QUERIES_OF_NODE: Rate = Rate {
    burst: 1024,
    per_second: 200,
};

/// Those of all nodes at one address: the burst lets 800 of them start at once with ten each.
const QUERIES_FROM_ADDRESS: Rate = Rate {
    burst: 8192,
    per_second: 2000,
};

/// How often nodes and addresses may ask for something.
///
/// What a node needs to stay is not limited: heartbeats, renewals that succeed and unregistering; and a node that is registered connects
/// again whatever others at its address do.
#[derive(Debug)]
pub(crate) struct Rates {
    registrations: RateLimit<Source>,
    reconnects: RateLimit<u64>,
    queries_of_node: RateLimit<u64>,
    queries_from_address: RateLimit<Source>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            registrations: RateLimit::new(REGISTRATIONS),
            reconnects: RateLimit::new(RECONNECTS),
            queries_of_node: RateLimit::new(QUERIES_OF_NODE),
            queries_from_address: RateLimit::new(QUERIES_FROM_ADDRESS),
        }
    }
}

impl Rates {
    /// Counts a registration, a connection of somebody who is not registered, or a wrong request to connect or to renew.
    pub(crate) fn register(&mut self, from: Source, now: Duration) -> Result<(), RateExceeded> {
        let taken = self.registrations.take(from, now);
        taken.map_err(|too_often| too_often.of(format_args!("{from} registers and connects")))
    }

    /// Counts a connection of a node that is registered and has proven it.
    pub(crate) fn connect(&mut self, id: &ActrId, now: Duration) -> Result<(), RateExceeded> {
        let taken = self.reconnects.take(id.serial_number(), now);
        taken.map_err(|too_often| too_often.of(format_args!("{id} connects")))
    }

    /// Counts a question or a relayed message of a node.
    pub(crate) fn query(&mut self, id: &ActrId, from: Source, now: Duration) -> Result<(), RateExceeded> {
        let of_node = self.queries_of_node.take(id.serial_number(), now);
        of_node.map_err(|too_often| too_often.of(format_args!("{id} asks")))?;
        // What its own limit refuses costs its neighbours nothing.
        let from_address = self.queries_from_address.take(from, now);
        from_address.map_err(|too_often| too_often.of(format_args!("the nodes at {from} ask")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    fn id(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme:Client:1.0.0".parse().unwrap())
    }

    #[test]
    fn eight_hundred_nodes_of_one_address_start_at_once() {
        let (mut rates, here, now) = (Rates::default(), source("192.0.2.1"), Duration::from_secs(1));
        for serial in 0..800 {
            rates.register(here, now).unwrap();
            // Those of a registry that was restarted are not known there any more.
            rates.register(here, now).unwrap();
            rates.connect(&id(serial), now).unwrap();
            for _ in 0..10 {
                rates.query(&id(serial), here, now).unwrap();
            }
        }
    }

    #[test]
    fn one_that_asks_too_often_leaves_its_neighbours_their_share() {
        let (mut rates, here, now) = (Rates::default(), source("2001:db8::1"), Duration::from_secs(1));
        let refused = (0..10_000).filter(|_| rates.query(&id(1), here, now).is_err()).count();
        assert_eq!(refused, 10_000 - 1024);
        assert_eq!(rates.query(&id(2), here, now), Ok(()));
        let refusal = rates.query(&id(1), here, now).unwrap_err();
        assert_eq!(refusal.retry_after(), 1);
        assert_eq!(
            refusal.to_string(),
            "1@1/acme:Client:1.0.0 asks too often: after the first 1024 at most 200 a second; try again in 1 s"
        );
    }
}
