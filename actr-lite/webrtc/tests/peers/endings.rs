//! How sessions end, and what follows one.

use std::time::Duration;

use actr_lite_webrtc::{
    peer::{Event, Local},
    signal::Signal,
};

use crate::{
    node::{Kind, enough, stream},
    world::{GOOD, SOON, World, assert_carries, connected, numbered},
};

/// Both learn soon that the session has ended, and the next one carries both ways.
#[track_caller]
fn assert_replaced(world: &mut World) {
    world.until(SOON, |world| {
        let mut nodes = world.nodes.iter();
        nodes.all(|node| node.ended().is_some() && node.peer.is_ready())
    });
    for from in [0, 1] {
        assert_carries(world, from, 100);
    }
}

#[test]
fn a_new_offer_replaces_the_session() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    assert_carries(&mut world, 0, 100);
    world.pass(SOON);
    world.nodes[0].peer.signal(Signal::Role { is_offerer: true }, world.now);
    assert_replaced(&mut world);
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
    assert_replaced(&mut world);
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
    assert_replaced(&mut world);
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
    world.nodes[0].peer.close(enough(), world.now);
    world.pass(SOON);
    world.nodes[0].takes = true;
    world.until(SOON, |world| world.nodes[0].ended().is_some());
    world.send(0, stream(), b"for the new one");
    world.until(SOON, |world| !world.nodes[1].records().is_empty());
    assert_eq!(world.nodes[1].records(), [b"for the new one"]);
}

#[test]
fn another_path_is_not_taken_for_a_session_that_is_gone() {
    let mut world = connected(Kind::Own, GOOD, 1, 0);
    // The first node offers another path of the old session, while the second one makes a new one.
    world.pass(SOON);
    world.nodes[0].peer.signal(Signal::AskRestart, world.now);
    world.nodes[1].peer.signal(Signal::Role { is_offerer: true }, world.now);
    assert_replaced(&mut world);
}

#[test]
fn only_the_session_that_there_is_uses_a_retired_address() {
    let mut world = World::relayed(Kind::Own, GOOD, 1);
    world.connect(0);
    world.until(SOON, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
    let retired = Local::Relayed {
        address: world.nodes[0].address,
        local: ([10, 0, 0, 1], 1000).into(),
    };
    world.nodes[0].peer.retire_local(retired);
    for from in [0, 1] {
        assert_carries(&mut world, from, 100);
    }
    // It looks for another path there too.
    world.path.lost = 1000;
    world.until(SOON, |world| world.nodes[0].has(&Event::Recovering));
    world.path.lost = 0;
    world.until(SOON, |world| world.nodes[0].has(&Event::Recovered));
    assert_carries(&mut world, 0, 100);
    assert_eq!(world.nodes[0].ended(), None);
    // The next one does not.
    world.nodes[0].peer.close(enough(), world.now);
    world.until(SOON, |world| world.nodes.iter().all(|node| node.peer.is_idle()));
    let said = world.said.len();
    world.move_away(0, 1);
    world.connect(0);
    world.until(SOON, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
    assert_carries(&mut world, 0, 100);
    let told = format!("{:?}", &world.said[said..]);
    assert!(told.contains(&world.nodes[0].address.ip().to_string()), "{told}");
    assert!(!told.contains(&retired.address().ip().to_string()), "{told}");
}
