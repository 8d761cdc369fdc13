//! Two peers agree on sessions, and exchange records over them, whatever the network does.

#[cfg(test)]
mod node;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod world;

use std::time::Duration;

use actr_lite_engine::upgrade::offer::Agreed;
use actr_lite_webrtc::{
    channel::Channel,
    peer::{Event, MAX_BACKLOG},
    retries::PAUSES,
    signal::Signal,
};
use actr_lite_wire::{record::DEFAULT_MAX_RECORD_LEN, record_limit::RecordLimit};

use crate::{
    node::{KINDS, Kind, MAX_RECORD_LEN, enough, stream},
    world::{GOOD, Path, World},
};

const SOON: Duration = Duration::from_secs(10);

fn connected(kind: Kind, path: Path, seed: u64, asks: usize) -> World {
    let mut world = World::new(kind, path, seed);
    world.connect(asks);
    world.until(SOON * 3, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
    world
}

fn numbered(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| [&number.to_be_bytes()[..], &[7; 60]].concat())
}

#[track_caller]
fn assert_carries(world: &mut World, from: usize, count: u32) {
    let before = world.nodes[1 - from].records().len();
    for body in numbered(count) {
        world.send(from, stream(), &body);
    }
    world.until(SOON * 6, |world| {
        world.nodes[1 - from].records().len() == before + count as usize
    });
    let expected: Vec<_> = numbered(count).collect();
    assert_eq!(world.nodes[1 - from].records()[before..], expected);
}

#[test]
fn either_side_makes_a_session_that_carries_both_ways() {
    for (kind, asks) in KINDS.into_iter().flat_map(|kind| [(kind, 0), (kind, 1)]) {
        let mut world = connected(kind, GOOD, 1, asks);
        assert!(world.now < Duration::from_millis(300), "{:?}", world.now);
        for from in [0, 1] {
            assert_carries(&mut world, from, 1000);
        }
    }
}

#[test]
fn a_node_that_answers_checks_paths_unasked() {
    // As from behind a NAT that lets in only what was asked for.
    let mut world = World::relayed(Kind::Official, GOOD, 1);
    world.is_shut = true;
    world.connect(1);
    world.until(SOON, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
    for node in &world.nodes {
        assert!(node.has(&Event::Path { is_relayed: true }));
    }
    assert_carries(&mut world, 0, 100);
}

#[test]
fn all_arrives_in_order_over_a_path_that_loses_and_reorders() {
    let path = Path {
        delay: Duration::from_millis(5),
        jitter: Duration::from_millis(8),
        lost: 20,
        doubled: 5,
    };
    for (kind, seed) in KINDS.into_iter().flat_map(|kind| (1..4).map(move |seed| (kind, seed))) {
        let mut world = connected(kind, path, seed, 1);
        for from in [0, 1] {
            assert_carries(&mut world, from, 3000);
        }
    }
}

#[test]
fn long_records_come_together_on_every_channel() {
    for kind in KINDS {
        let mut world = connected(kind, GOOD, 1, 0);
        for (number, channel) in Channel::ALL.into_iter().enumerate() {
            let body = vec![number as u8; MAX_RECORD_LEN - number];
            world.send(0, channel.kind(), &body);
            world.until(SOON, |world| world.nodes[1].records().len() == number + 1);
            assert_eq!(world.nodes[1].records()[number], body);
        }
    }
}

#[test]
fn both_may_ask_at_once() {
    let mut world = World::new(Kind::Own, GOOD, 1);
    world.connect(0);
    world.connect(1);
    world.until(SOON, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
    assert_carries(&mut world, 0, 100);
    let offers = world.said.iter().filter(|(_, said)| matches!(said, Signal::Offer(_)));
    assert_eq!(offers.count(), 1);
}

#[test]
fn of_two_offers_at_once_one_counts() {
    let mut world = World::new(Kind::Own, GOOD, 1);
    for node in [0, 1] {
        world.nodes[node]
            .peer
            .signal(Signal::Role { is_offerer: true }, world.now);
    }
    world.until(SOON, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
    for from in [0, 1] {
        assert_carries(&mut world, from, 100);
    }
    assert_eq!(world.nodes.each_ref().map(|node| node.ended()), [None, None]);
}

#[test]
fn a_new_offer_replaces_the_session() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    assert_carries(&mut world, 0, 100);
    world.pass(SOON);
    world.nodes[0].peer.signal(Signal::Role { is_offerer: true }, world.now);
    world.until(SOON, |world| {
        world
            .nodes
            .iter()
            .all(|node| node.ended().is_some() && node.peer.is_ready())
    });
    for from in [0, 1] {
        assert_carries(&mut world, from, 100);
    }
}

#[test]
fn a_short_break_of_the_path_is_recovered_from() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    world.path.lost = 1000;
    world.until(SOON * 2, |world| {
        world.nodes.iter().all(|node| node.has(&Event::Recovering))
    });
    world.send(0, stream(), b"kept");
    world.path.lost = 0;
    world.until(SOON, |world| world.nodes.iter().all(|node| node.has(&Event::Recovered)));
    world.until(SOON, |world| world.nodes[1].records() == [b"kept"]);
}

#[test]
fn a_dead_peer_is_noticed_within_ten_seconds() {
    for seed in 1..6 {
        let mut world = connected(Kind::Own, GOOD, seed, 1);
        world.pass(SOON * 6 + Duration::from_millis(seed * 617));
        (world.path.lost, world.relay.lost) = (1000, 1000);
        world.until(SOON, |world| world.nodes.iter().all(|node| node.ended().is_some()));
    }
}

#[test]
fn the_peer_learns_that_a_session_is_closed_and_why() {
    for (kind, told) in [(Kind::Own, "enough"), (Kind::Official, "the peer closed it")] {
        let mut world = connected(kind, GOOD, 1, 0);
        world.send(0, stream(), b"last");
        // It has left.
        world.pass(Duration::from_micros(1));
        world.nodes[0].peer.close(enough(), world.now);
        world.until(Duration::from_secs(1), |world| {
            world.nodes.iter().all(|node| node.ended().is_some())
        });
        assert_eq!(world.nodes[1].ended(), Some(told));
        assert_eq!(world.nodes[1].records(), [b"last"]);
        assert!(world.nodes.iter().all(|node| node.peer.is_idle()));
    }
}

#[test]
fn what_was_sent_before_the_close_arrives() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    for body in numbered(500) {
        world.send(0, stream(), &body);
    }
    world.until(SOON, |world| world.nodes[0].outgoing.waiting() == 0);
    world.nodes[0].peer.close(enough(), world.now);
    world.until(SOON, |world| world.nodes.iter().all(|node| node.ended().is_some()));
    assert_eq!(world.nodes[1].records().len(), 500);
}

#[test]
fn who_asks_while_a_session_is_closed_gets_the_next() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    world.nodes[0].peer.close(enough(), world.now);
    world.connect(0);
    world.until(SOON, |world| {
        world
            .nodes
            .iter()
            .all(|node| node.ended().is_some() && node.peer.is_ready())
    });
}

#[test]
fn the_end_is_told_of_a_session_replaced_while_it_closes() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    world.pass(SOON);
    world.path.lost = 1000;
    world.nodes[1].peer.close(enough(), world.now);
    world.pass(Duration::from_millis(5));
    world.path.lost = 0;
    world.nodes[0].peer.signal(Signal::Role { is_offerer: true }, world.now);
    world.until(SOON, |world| {
        world
            .nodes
            .iter()
            .all(|node| node.ended().is_some() && node.peer.is_ready())
    });
}

#[test]
fn nothing_for_a_session_goes_over_the_next_one() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    world.pass(SOON);
    // The first node does not know yet that there is another one.
    world.nodes[0].takes = false;
    world.nodes[1].peer.signal(Signal::Role { is_offerer: true }, world.now);
    world.pass(SOON);
    world.send(0, stream(), b"for the old one");
    world.pass(SOON);
    world.nodes[0].takes = true;
    world.until(SOON, |world| world.nodes[0].ended().is_some());
    world.send(0, stream(), b"for the new one");
    world.until(SOON, |world| !world.nodes[1].records().is_empty());
    assert_eq!(world.nodes[1].records(), [b"for the new one"]);
}

#[test]
fn more_addresses_than_a_host_has_are_not_tried() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    for number in 0..10_000 {
        let candidate = format!("candidate:{number} 1 udp 1 198.51.100.1 {} typ host", 1000 + number);
        let generation = None;
        world.nodes[0]
            .peer
            .signal(Signal::Candidate { candidate, generation }, world.now);
    }
    for from in [0, 1] {
        assert_carries(&mut world, from, 100);
    }
    let (_, offer) = world
        .said
        .iter()
        .find(|(_, said)| matches!(said, Signal::Offer(_)))
        .unwrap();
    let Signal::Offer(offer) = offer.clone() else { return };
    // Each description tells some more, of which none can be used.
    for number in 0..10 {
        let mut again = offer.clone();
        for port in 0..100 {
            let port = 1000 + number * 100 + port;
            again.sdp += &format!("a=candidate:{port} 1 udp 1 198.51.100.2 {port} typ host\r\n");
        }
        world.nodes[1].peer.signal(Signal::Reoffer(again), world.now);
    }
    world.until(SOON, |world| world.nodes[1].ended().is_some());
    assert_eq!(world.nodes[1].ended(), Some("it has told more than 256 addresses"));
}

#[test]
fn another_path_is_not_taken_for_a_session_that_is_gone() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    // The first node offers another path of the old session, while the second one makes a new one.
    world.pass(SOON);
    world.nodes[0].peer.signal(Signal::AskRestart, world.now);
    world.nodes[1].peer.signal(Signal::Role { is_offerer: true }, world.now);
    world.until(SOON, |world| {
        world
            .nodes
            .iter()
            .all(|node| node.ended().is_some() && node.peer.is_ready())
    });
    for from in [0, 1] {
        assert_carries(&mut world, from, 100);
    }
}

#[test]
fn a_session_that_can_not_be_made_is_tried_again_and_given_up() {
    let path = Path { lost: 1000, ..GOOD };
    let mut world = World::new(Kind::Own, path, 1);
    world.connect(1);
    world.until(SOON * 12, |world| world.nodes[1].ended().is_some());
    let offers = world.said.iter().filter(|(_, said)| matches!(said, Signal::Offer(_)));
    assert_eq!(offers.count(), PAUSES.len() + 1);
    // Nobody has to wait for the next one.
    world.path.lost = 0;
    world.connect(1);
    world.until(SOON, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
}

#[test]
fn a_receiver_that_takes_nothing_slows_its_sender() {
    for kind in KINDS {
        let mut world = connected(kind, GOOD, 1, 0);
        world.nodes[1].takes = false;
        let body = vec![7; 1000];
        let mut sent = 0_usize;
        let end = world.now + SOON;
        while world.now < end {
            match world.nodes[0].outgoing.push(stream(), &[], &body) {
                Ok(()) => sent += 1,
                Err(_) => world.pass(Duration::from_millis(1)),
            }
        }
        assert!(sent * body.len() < 4 * MAX_BACKLOG, "{sent}");
        // Calls of its own still go out.
        world.send(1, Channel::RpcReliable.kind(), b"call");
        world.until(SOON, |world| world.nodes[0].records() == [b"call"]);
        world.nodes[1].takes = true;
        world.until(SOON * 12, |world| world.nodes[1].records().len() == sent);
    }
}

#[test]
fn only_nodes_that_agree_on_it_send_many_records_at_once() {
    for (kind, limit, messages) in [
        (Kind::Own, MAX_RECORD_LEN, 0..100),
        (Kind::Official, DEFAULT_MAX_RECORD_LEN, 1000..1001),
    ] {
        let mut world = connected(kind, GOOD, 1, 0);
        let agreed = Agreed {
            extended: kind == Kind::Own,
            peer_limit: RecordLimit::new(limit).unwrap(),
        };
        for from in [0, 1] {
            assert!(
                world.nodes[from].has(&Event::Ready(agreed)),
                "{:?}",
                world.nodes[from].events
            );
            assert_carries(&mut world, from, 1000);
            assert!(messages.contains(&world.nodes[1 - from].messages()));
        }
    }
}

#[test]
fn a_call_does_not_wait_for_the_frames_before_it() {
    let path = Path {
        delay: Duration::from_millis(20),
        ..GOOD
    };
    let mut world = connected(Kind::Own, path, 1, 0);
    let frame = vec![7; 1000];
    let fill = |world: &mut World, time| {
        let end = world.now + time;
        while world.now < end {
            if world.nodes[0].outgoing.push(stream(), &[], &frame).is_err() {
                world.pass(Duration::from_millis(1));
            }
        }
    };
    fill(&mut world, SOON / 10);
    let before = world.nodes[1].records().len();
    world.send(0, Channel::RpcReliable.kind(), b"call");
    fill(&mut world, SOON / 10);
    let records = world.nodes[1].records();
    let overtaken = records.iter().position(|record| record == b"call").unwrap() - before;
    assert!(overtaken < 250, "it came behind {overtaken} frames of 1000 bytes");
    assert!(records.len() > before + 1000, "{}", records.len() - before);
}

#[test]
fn what_is_no_signal_of_this_session_changes_nothing() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    let said: Vec<_> = world.said.clone();
    for (from, signal) in said {
        world.nodes[1 - from].peer.signal(signal, world.now);
    }
    world.pass(Duration::from_secs(1));
    for from in [0, 1] {
        assert_carries(&mut world, from, 100);
    }
    assert_eq!(world.nodes.each_ref().map(|node| node.ended()), [None, None]);
}

#[test]
fn a_check_from_elsewhere_is_taken_if_it_is_authentic() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    let check = world.nodes[0].checked.take().unwrap();
    let (elsewhere, now) = ("198.51.100.1:9".parse().unwrap(), world.now);
    let peer = &mut world.nodes[1].peer;
    // The question's number, and the last byte of the proof: eight bytes of a checksum follow.
    for at in [8, check.bytes.len() - 9] {
        let mut forged = check.bytes.clone();
        forged[at] ^= 1;
        assert!(!peer.receive(elsewhere, check.to, &forged, now), "byte {at}");
    }
    assert!(!peer.receive(elsewhere, check.to, &[23, 254, 253], now));
    assert!(peer.receive(elsewhere, check.to, &check.bytes, now));
}
