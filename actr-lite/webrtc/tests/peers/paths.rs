//! Paths that break, and those that come half.

use std::time::Duration;

use actr_lite_webrtc::{peer::Event, signal::Signal, stage::CHANNEL_TIMEOUT};

use crate::{
    node::{KINDS, Kind, stream},
    world::{GOOD, SOON, World, assert_carries, connected},
};

fn offers(world: &World) -> usize {
    let offers = world.said.iter().filter(|(_, said)| matches!(said, Signal::Offer(_)));
    offers.count()
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
fn who_answers_asks_for_another_path_and_who_offers_looks() {
    for kind in KINDS {
        let mut world = connected(kind, GOOD, 1, 0);
        let gone = world.nodes[1].address;
        world.move_away(1, 1);
        world.nodes[1].peer.remove_local(gone.into(), world.now);
        // Long before the silence is noticed.
        world.until(Duration::from_secs(1), |world| {
            world.said.iter().any(|(_, said)| matches!(said, Signal::Reoffer(_)))
        });
        assert!(world.said.contains(&(1, Signal::AskRestart)));
        let from_answerer = |(from, said): &(usize, Signal)| *from == 1 && matches!(said, Signal::Reoffer(_));
        assert!(!world.said.iter().any(from_answerer));
        for from in [0, 1] {
            assert_carries(&mut world, from, 100);
        }
        assert_eq!(world.nodes.each_ref().map(|node| node.ended()), [None, None]);
    }
}

#[test]
fn dtls_that_stays_half_open_is_begun_anew() {
    for (kind, asks) in KINDS.into_iter().flat_map(|kind| [(kind, 0), (kind, 1)]) {
        let mut world = World::new(kind, GOOD, 1);
        world.is_dtls_lost = true;
        world.connect(asks);
        world.until(SOON, |world| offers(world) == 1);
        world.until(CHANNEL_TIMEOUT + SOON / 100, |world| offers(world) == 2);
        world.is_dtls_lost = false;
        world.until(SOON / 10, |world| world.nodes.iter().all(|node| node.peer.is_ready()));
        for from in [0, 1] {
            assert_carries(&mut world, from, 100);
        }
    }
}
