use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use actr_lite_wire::{
    identity::ActrId,
    rate_limit::{Rate, RateLimit, TooOften},
};
use thiserror::Error;

use actr_lite_net::source::Source;

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
pub(crate) struct Rates {
    buckets: Mutex<Buckets>,
}

struct Buckets {
    registrations: RateLimit<Source>,
    reconnects: RateLimit<u64>,
    queries_of_node: RateLimit<u64>,
    queries_from_address: RateLimit<Source>,
}

/// Somebody comes too often.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum RateExceeded {
    #[error(
        "{from} registers and connects too often: after the first {} at most {} a second; try again in {} s",
        REGISTRATIONS.burst,
        REGISTRATIONS.per_second,
        .too_often.seconds()
    )]
    Registrations { from: Source, too_often: TooOften },
    #[error(
        "{id} connects too often: after the first {} at most {} a second; try again in {} s",
        RECONNECTS.burst,
        RECONNECTS.per_second,
        .too_often.seconds()
    )]
    Reconnects { id: ActrId, too_often: TooOften },
    #[error(
        "{id} asks too often: after the first {} at most {} a second; try again in {} s",
        QUERIES_OF_NODE.burst,
        QUERIES_OF_NODE.per_second,
        .too_often.seconds()
    )]
    QueriesOfNode { id: ActrId, too_often: TooOften },
    #[error(
        "the nodes at {from} ask too often: after the first {} at most {} a second; try again in {} s",
        QUERIES_FROM_ADDRESS.burst,
        QUERIES_FROM_ADDRESS.per_second,
        .too_often.seconds()
    )]
    QueriesFromAddress { from: Source, too_often: TooOften },
}

impl RateExceeded {
    /// In so many seconds it may be tried again, as HTTP writes it (RFC 9110 §10.2.3).
    pub(crate) fn retry_after(&self) -> u64 {
        let (Self::Registrations { too_often, .. }
        | Self::Reconnects { too_often, .. }
        | Self::QueriesOfNode { too_often, .. }
        | Self::QueriesFromAddress { too_often, .. }) = self;
        too_often.seconds()
    }
}

impl Default for Rates {
    fn default() -> Self {
        let buckets = Buckets {
            registrations: RateLimit::new(REGISTRATIONS),
            reconnects: RateLimit::new(RECONNECTS),
            queries_of_node: RateLimit::new(QUERIES_OF_NODE),
            queries_from_address: RateLimit::new(QUERIES_FROM_ADDRESS),
        };
        Self {
            buckets: Mutex::new(buckets),
        }
    }
}

impl Rates {
    /// Counts a registration, a connection of somebody who is not registered, or a wrong request to connect or to renew.
    pub(crate) fn register(&self, from: Source, now: Duration) -> Result<(), RateExceeded> {
        let taken = self.buckets().registrations.take(from, now);
        taken.map_err(|too_often| RateExceeded::Registrations { from, too_often })
    }

    /// Counts a connection of a node that is registered and has proven it.
    pub(crate) fn connect(&self, id: &ActrId, now: Duration) -> Result<(), RateExceeded> {
        let taken = self.buckets().reconnects.take(id.serial_number(), now);
        taken.map_err(|too_often| RateExceeded::Reconnects {
            id: id.clone(),
            too_often,
        })
    }

    /// Counts a question or a relayed message of a node.
    pub(crate) fn query(&self, id: &ActrId, from: Source, now: Duration) -> Result<(), RateExceeded> {
        let mut buckets = self.buckets();
        let of_node = buckets.queries_of_node.take(id.serial_number(), now);
        of_node.map_err(|too_often| RateExceeded::QueriesOfNode {
            id: id.clone(),
            too_often,
        })?;
        // What its own limit refuses costs its neighbours nothing.
        let from_address = buckets.queries_from_address.take(from, now);
        from_address.map_err(|too_often| RateExceeded::QueriesFromAddress { from, too_often })
    }

    fn buckets(&self) -> std::sync::MutexGuard<'_, Buckets> {
        // No code panics while it holds the lock.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (rates, here, now) = (Rates::default(), source("192.0.2.1"), Duration::from_secs(1));
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
        let (rates, here, now) = (Rates::default(), source("2001:db8::1"), Duration::from_secs(1));
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
