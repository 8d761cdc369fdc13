//! What waits, what is on its way, and what goes first.

use std::time::Duration;

use actr_lite_engine::upgrade::offer::Agreed;
use actr_lite_webrtc::{
    channel::Channel,
    peer::{Event, MAX_BACKLOG},
};
use actr_lite_wire::{record::DEFAULT_MAX_RECORD_LEN, record_limit::RecordLimit};

use crate::{
    node::{KINDS, Kind, MAX_RECORD_LEN, stream},
    world::{GOOD, Path, SOON, World, assert_carries, connected},
};

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
fn a_peer_whose_share_is_used_up_is_slowed_down_too() {
    const SHARE: usize = 200 << 10;
    for kind in KINDS {
        let mut world = connected(kind, GOOD, 1, 0);
        world.nodes[1].share.limit(SHARE);
        world.nodes[1].takes = false;
        let body = vec![7; 1000];
        let mut sent = 0_usize;
        let end = world.now + SOON / 2;
        while world.now < end {
            match world.nodes[0].outgoing.push(stream(), &[], &body) {
                Ok(()) => sent += 1,
                Err(_) => world.pass(Duration::from_millis(1)),
            }
        }
        let sent_bytes = sent * body.len();
        assert!((SHARE / 2..MAX_BACKLOG).contains(&sent_bytes), "{sent_bytes}");
        world.nodes[1].takes = true;
        world.until(SOON * 12, |world| world.nodes[1].records().len() == sent);
        assert_eq!(world.nodes[1].ended(), None);
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
fn what_is_on_the_way_fits_into_an_official_socket_buffer() {
    // What Linux gives unasked, and what it counts for a datagram of up to some 1,800 bytes.
    let fits = 212_992 / 2304;
    for len in [57, 600, 1000, 2000, 60_000] {
        let mut world = connected(Kind::Official, GOOD, 1, 0);
        let frame = vec![7; len];
        for delay in [GOOD.delay, SOON] {
            world.path.delay = delay;
            let end = world.now + Duration::from_millis(25);
            while world.now < end {
                if world.nodes[0].outgoing.push(stream(), &[], &frame).is_err() {
                    world.pass(Duration::from_millis(1));
                }
            }
        }
        // The latter are all still on the way.
        let sent = world.on_the_way_to(1);
        assert!(
            (fits / 2..=fits).contains(&sent),
            "{sent} datagrams with frames of {len} bytes"
        );
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
    assert!(records.len() > before + 500, "{}", records.len() - before);
}

#[test]
fn it_is_known_how_much_of_a_long_record_has_come() {
    let mut world = connected(Kind::Official, GOOD, 1, 0);
    let record = vec![7; MAX_RECORD_LEN];
    world.send(0, stream(), &record);
    world.until(SOON, |world| world.nodes[1].peer.begun().len > 0);
    let mut came = vec![0];
    while world.nodes[1].records().is_empty() {
        world.step();
        came.push(world.nodes[1].peer.begun().len);
    }
    assert_eq!(came.pop(), Some(0));
    assert_eq!(world.nodes[1].peer.begun().whole_records, 1);
    assert!(
        came.is_sorted() && came.last().unwrap() > &(MAX_RECORD_LEN / 2),
        "{came:?}"
    );
}
