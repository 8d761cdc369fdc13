//! Two peers agree on sessions, and exchange records over them, whatever the network does.

#[cfg(test)]
mod endings;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod node;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod schedules;
#[cfg(test)]
mod world;

use std::time::Duration;

use actr_lite_webrtc::{channel::Channel, peer::Event, retries::PAUSES, signal::Signal};

use crate::{
    node::{KINDS, Kind, MAX_RECORD_LEN},
    world::{GOOD, Path, SOON, World, assert_carries, connected},
};

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
fn an_answer_to_an_earlier_offer_comes_too_late() {
    let mut world = World::new(Kind::Own, GOOD, 1);
    // The second offer is made before the answer to the first one comes.
    world.relay.delay = Duration::from_millis(700);
    for _ in 0..2 {
        world.nodes[0].peer.signal(Signal::Role { is_offerer: true }, world.now);
        world.pass(Duration::from_millis(1100));
    }
    world.until(Duration::from_secs(3), |world| {
        world.nodes.iter().all(|node| node.peer.is_ready())
    });
    let answers = world.said.iter().filter(|(_, said)| matches!(said, Signal::Answer(_)));
    assert_eq!(answers.count(), 2);
    for from in [0, 1] {
        assert_carries(&mut world, from, 100);
    }
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
