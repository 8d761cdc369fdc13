//! Messages from node to node over the registry, for the WebRTC lane: who gets them, and which wait.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::ActrId,
    proto::{AIdCredential, ActrRelay, ErrorResponse, RoleAssignment, actr_relay::Payload},
};
use bytes::Bytes;
use prost::Message as _;

use crate::{
    answer::{error, from_directory},
    directory::Directory,
    in_flight::{InFlight, InFlightBytes},
    ledger::Holder,
};

/// The most bytes that wait for one node: four of the largest envelopes, or some hundred of the usual session
/// descriptions and candidates. How much waits for all of them is bounded by what senders may have under way.
const MAX_WAITING_BYTES: usize = 256 * 1024;

/// What is counted for a message beside its bytes, so that many small ones are bounded too.
const COST_OF_ONE: usize = 256;

/// A message from node to node, and the trace that it belongs to (W3C).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Relayed {
    pub(crate) relay: ActrRelay,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
}

impl Relayed {
    fn cost(&self) -> usize {
        let traces = [&self.traceparent, &self.tracestate];
        let trace_bytes: usize = traces.into_iter().flatten().map(String::len).sum();
        COST_OF_ONE + self.relay.encoded_len() + trace_bytes
    }
}

/// How many messages nodes have sent to each other by way of the registry.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RelayTally {
    pub(crate) passed: u64,
    pub(crate) refused: u64,
}

/// A message and its target node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) to: ActrId,
    pub(crate) relayed: Relayed,
}

/// Who gets what when `source` sends this: the target gets the message, without the credential, which only the
/// registry has a use for. The question who offers is answered to both, the target first.
///
/// # Errors
/// If the message can't be forwarded; the source is told why.
pub(crate) fn route(
    directory: &mut Directory,
    source: &ActrId,
    relayed: Relayed,
    now: Duration,
) -> Result<Vec<Delivery>, ErrorResponse> {
    let invalid = |message: String| error(ErrorCode::InvalidArgument, message);
    let target = ActrId::try_from(&relayed.relay.target)
        .map_err(|malformed| invalid(format!("the target of the relay: {malformed}")))?;
    if target == *source {
        return Err(invalid(format!("{source} sends a relay to itself")));
    }
    directory
        .reach(source, &target, now)
        .map_err(|error| from_directory(&error))?;
    match &relayed.relay.payload {
        Some(Payload::RoleNegotiation(_)) => {
            let (to_target, to_source) = (role(source, &target, &relayed), role(&target, source, &relayed));
            Ok(vec![to_target, to_source])
        }
        Some(Payload::RoleAssignment(_)) => Err(invalid("roles are assigned by the registry".into())),
        None => Err(error(
            ErrorCode::NotImplemented,
            "this kind of relay is not supported".into(),
        )),
        Some(payload) => {
            let payload = Some(copied(payload));
            let mut relayed = relayed;
            relayed.relay.credential = AIdCredential::default();
            relayed.relay.payload = payload;
            Ok(vec![Delivery { to: target, relayed }])
        }
    }
}

/// The same in memory of its own: a slice would hold the whole message that it came in, which may be much longer.
fn copied(payload: &Payload) -> Payload {
    let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    match payload {
        Payload::IceCandidate(bytes) => Payload::IceCandidate(copy(bytes)),
        Payload::SessionDescription(bytes) => Payload::SessionDescription(copy(bytes)),
        Payload::RoleNegotiation(bytes) => Payload::RoleNegotiation(copy(bytes)),
        Payload::RoleAssignment(bytes) => Payload::RoleAssignment(copy(bytes)),
        Payload::IceRestartRequest(bytes) => Payload::IceRestartRequest(copy(bytes)),
        Payload::IceRestartRejected(bytes) => Payload::IceRestartRejected(copy(bytes)),
    }
}

/// What `to` is told of its part towards `from`. The node that registered first offers: both sides get the same answer
/// if they ask at once.
fn role(from: &ActrId, to: &ActrId, asked: &Relayed) -> Delivery {
    let assignment = RoleAssignment {
        is_offerer: to.serial_number() < from.serial_number(),
        remote_fixed: None,
    };
    let relay = ActrRelay {
        source: from.into(),
        credential: AIdCredential::default(),
        target: to.into(),
        payload: Some(Payload::RoleAssignment(assignment.encode_to_vec().into())),
    };
    let relayed = Relayed { relay, ..asked.clone() };
    Delivery {
        to: to.clone(),
        relayed,
    }
}

/// What waits for a node, each on the account of whoever has sent it.
#[derive(Debug, Default)]
pub(crate) struct RelayQueue {
    waiting: VecDeque<Waiting>,
    /// What is counted for it.
    cost: usize,
}

/// A message that waits, and what it holds as long as it does.
#[derive(Debug)]
struct Waiting {
    relayed: Relayed,
    cost: usize,
    _held: InFlightBytes,
}

impl RelayQueue {
    /// Queues a message for `to`, on the account of whoever sends it.
    ///
    /// # Errors
    /// When too much waits, for the node or of the sender.
    pub(crate) fn push(
        &mut self,
        relayed: Relayed,
        to: &ActrId,
        in_flight: &Arc<InFlight>,
        sender: Holder,
    ) -> Result<(), ErrorResponse> {
        let cost = relayed.cost();
        let held = in_flight.take(sender, cost);
        let held = held.map_err(|full| error(ErrorCode::Unavailable, full.to_string()))?;
        if self.cost + cost > MAX_WAITING_BYTES {
            let message = format!("{to} has {MAX_WAITING_BYTES} bytes of relays to read first, the limit; try again");
            return Err(error(ErrorCode::Unavailable, message));
        }
        self.cost += cost;
        self.waiting.push_back(Waiting {
            relayed,
            cost,
            _held: held,
        });
        Ok(())
    }

    /// The message that has waited the longest.
    pub(crate) fn pop(&mut self) -> Option<Relayed> {
        let waiting = self.waiting.pop_front()?;
        self.cost -= waiting.cost;
        Some(waiting.relayed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{AccessList, Limits, Registration};
    use actr_lite_net::source::Source;
    use actr_lite_wire::acl::{Acl, AclRule, Permission, RealmScope};

    const NOW: Duration = Duration::ZERO;

    fn holder() -> Holder {
        Holder {
            source: Source::of(std::net::Ipv4Addr::LOCALHOST.into()),
            realm_id: Some(1),
        }
    }

    fn register(directory: &mut Directory, realm_id: u32, acl: Option<Acl>) -> ActrId {
        let registration = Registration {
            actr_type: "acme:Node:1.0.0".parse().unwrap(),
            realm_id,
            contract: None,
            acl: acl.as_ref().map(AccessList::from),
            ws_address: None,
            is_hidden: false,
            secret: None,
            holder_key: None,
        };
        let registered = directory.register(registration, holder().source, [0; 32], NOW, 0);
        registered.unwrap().0
    }

    fn directory() -> Directory {
        Directory::new(1, Duration::from_secs(15), Limits::default())
    }

    fn relayed(source: &ActrId, target: &ActrId, payload: Option<Payload>) -> Relayed {
        Relayed {
            relay: ActrRelay {
                source: source.into(),
                credential: AIdCredential {
                    key_id: 7,
                    claims: "claims".into(),
                    signature: "signature".into(),
                },
                target: target.into(),
                payload,
            },
            traceparent: Some("00-trace".into()),
            tracestate: None,
        }
    }

    fn description() -> Option<Payload> {
        // No message at all: nobody looks.
        Some(Payload::SessionDescription(Bytes::from_static(
            b"\xff\xff not protobuf",
        )))
    }

    fn code(routed: Result<Vec<Delivery>, ErrorResponse>) -> u32 {
        routed.unwrap_err().code
    }

    #[test]
    fn a_relayed_message_loses_only_its_credential() {
        let mut directory = directory();
        let [source, target] = [(); 2].map(|()| register(&mut directory, 1, None));
        for payload in [
            description(),
            Some(Payload::IceCandidate("candidate".into())),
            Some(Payload::IceRestartRequest(Bytes::new())),
            Some(Payload::IceRestartRejected("sdp_exchange_id, reason".into())),
        ] {
            let sent = relayed(&source, &target, payload);
            let routed = route(&mut directory, &source, sent.clone(), NOW).unwrap();
            let mut expected = sent;
            expected.relay.credential = AIdCredential::default();
            let delivery = Delivery {
                to: target.clone(),
                relayed: expected,
            };
            assert_eq!(routed, [delivery]);
        }
    }

    #[test]
    fn both_nodes_are_told_the_same_offerer() {
        let mut directory = directory();
        let [first, second] = [(); 2].map(|()| register(&mut directory, 1, None));
        for (asks, other) in [(&first, &second), (&second, &first)] {
            let question = relayed(asks, other, Some(Payload::RoleNegotiation(Bytes::new())));
            let told = route(&mut directory, asks, question, NOW).unwrap();
            assert_eq!(
                told.iter().map(|delivery| &delivery.to).collect::<Vec<_>>(),
                [other, asks]
            );
            for Delivery { to, relayed } in told {
                let from = if to == first { &second } else { &first };
                assert_eq!(ActrId::try_from(&relayed.relay.source).as_ref(), Ok(from));
                assert_eq!(ActrId::try_from(&relayed.relay.target), Ok(to.clone()));
                assert_eq!(relayed.relay.credential, AIdCredential::default());
                let Some(Payload::RoleAssignment(assignment)) = relayed.relay.payload else {
                    panic!("another payload");
                };
                let assignment = RoleAssignment::decode(assignment).unwrap();
                assert_eq!(assignment.is_offerer, to == first);
            }
        }
    }

    #[test]
    fn a_relay_needs_the_targets_admission_or_is_an_answer() {
        let mut directory = directory();
        let open = register(&mut directory, 1, None);
        let shut = register(&mut directory, 1, Some(Acl::default()));
        let allow = AclRule {
            permission: Permission::Allow,
            types: vec!["acme:Node:1.0.0".parse().unwrap()],
            realm: RealmScope::Any,
        };
        // That a node admits everybody gives it no access to others.
        let elsewhere = register(&mut directory, 2, Some(Acl { rules: vec![allow] }));
        let mut send = |source: &ActrId, target: &ActrId| {
            let relayed = relayed(source, target, description());
            route(&mut directory, source, relayed, NOW)
        };
        for (source, target) in [(&open, &shut), (&elsewhere, &open), (&elsewhere, &shut)] {
            let refusal = send(source, target).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::PermissionDenied.number());
            for named in [source, target] {
                assert!(refusal.message.contains(&named.to_string()), "{}", refusal.message);
            }
        }
        assert!(send(&shut, &open).is_ok());
        assert!(send(&open, &shut).is_ok(), "an answer");
        assert!(send(&shut, &elsewhere).is_ok());
        assert!(send(&elsewhere, &shut).is_ok(), "an answer");
        assert!(send(&elsewhere, &open).is_err(), "of somebody else");
    }

    #[test]
    fn what_waits_holds_no_more_than_what_is_counted() {
        let mut directory = directory();
        let [source, target] = [(); 2].map(|()| register(&mut directory, 1, None));
        let message = Bytes::from(vec![7; 64 * 1024]);
        let payload = message.slice(..1);
        let routed = route(
            &mut directory,
            &source,
            relayed(&source, &target, Some(Payload::IceCandidate(payload))),
            NOW,
        );
        assert_eq!(routed.unwrap().len(), 1);
        assert!(message.is_unique(), "the message that it came in is free");
    }

    #[test]
    fn what_can_not_be_passed_on_is_refused_with_its_reason() {
        let mut directory = directory();
        let [source, target, gone] = [(); 3].map(|()| register(&mut directory, 1, None));
        directory.unregister(&gone).unwrap();
        let mut send = |target, payload| route(&mut directory, &source, relayed(&source, target, payload), NOW);
        let assignment = Some(Payload::RoleAssignment(Bytes::new()));
        assert_eq!(code(send(&gone, description())), ErrorCode::NotFound.number());
        assert_eq!(code(send(&source, description())), ErrorCode::InvalidArgument.number());
        assert_eq!(code(send(&target, assignment)), ErrorCode::InvalidArgument.number());
        assert_eq!(code(send(&target, None)), ErrorCode::NotImplemented.number());
        let mut malformed = relayed(&source, &target, description());
        malformed.relay.target.r#type.name = "no name".into();
        let routed = route(&mut directory, &source, malformed, NOW);
        assert_eq!(code(routed), ErrorCode::InvalidArgument.number());
        let lease_over = Duration::from_secs(15);
        let late = route(
            &mut directory,
            &source,
            relayed(&source, &target, description()),
            lease_over,
        );
        assert_eq!(code(late), ErrorCode::NotFound.number());
    }

    #[test]
    fn what_waits_for_many_nodes_is_on_the_senders_account() {
        let mut directory = directory();
        let [source, to] = [(); 2].map(|()| register(&mut directory, 1, None));
        let payload = Bytes::from(vec![0; 10_000]);
        let relayed = relayed(&source, &to, Some(Payload::IceCandidate(payload)));
        let in_flight = Arc::new(InFlight::new(1 << 20));
        let mut queues: Vec<_> = (0..100).map(|_| RelayQueue::default()).collect();
        let sent = queues
            .iter_mut()
            .filter_map(|queue| queue.push(relayed.clone(), &to, &in_flight, holder()).ok());
        assert!((18..=20).contains(&sent.count()), "a fifth of a MiB of them");
        let neighbour = Holder {
            source: Source::of(std::net::Ipv4Addr::new(192, 0, 2, 1).into()),
            realm_id: Some(2),
        };
        assert!(in_flight.take(neighbour, 160 << 10).is_ok());
    }

    #[test]
    fn what_waits_is_bounded_by_its_bytes_and_taking_it_makes_room() {
        let mut directory = directory();
        let [source, to] = [(); 2].map(|()| register(&mut directory, 1, None));
        let of_len = |len| Relayed {
            traceparent: Some("0".repeat(1000)),
            ..relayed(&source, &to, Some(Payload::IceCandidate(vec![0; len].into())))
        };
        let beside = of_len(60_000).relay.encoded_len() - 60_000 + 1000 + COST_OF_ONE;
        let (short, quarter) = (of_len(0), of_len((64 << 10) - beside));
        for (relayed, fitting) in [(&short, MAX_WAITING_BYTES / short.cost()), (&quarter, 4)] {
            let (mut queue, in_flight) = (RelayQueue::default(), Arc::new(InFlight::new(1 << 21)));
            let push = |queue: &mut RelayQueue| queue.push(relayed.clone(), &to, &in_flight, holder());
            (0..fitting).for_each(|_| push(&mut queue).unwrap());
            for taken in 0..4 {
                (0..taken).for_each(|_| assert_eq!(queue.pop().as_ref(), Some(relayed)));
                (0..taken).for_each(|_| push(&mut queue).unwrap());
                assert_eq!(push(&mut queue).unwrap_err().code, ErrorCode::Unavailable.number());
            }
            drop(queue);
            assert!(in_flight.take(holder(), 400 << 10).is_ok(), "nothing is held any more");
        }
    }
}
