//! A client at a relay in memory, on one clock.

use std::{net::SocketAddr, time::Duration};

use proptest::prelude::*;

use super::{
    Random,
    reflexive::{self, Reflexive},
    relay::{Credential, Output, RETIRED_IDLE, Relay, Way},
    server::{ALLOCATE, CHANNEL_BIND, MAPPED, REFRESH, RELAYED, RELAYED_IPV6, SERVER, Server},
};

const PEER: &str = "203.0.113.5:7000";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn numbers() -> Random {
    let mut last = 0;
    Box::new(move || {
        last += 1;
        last
    })
}

/// Both ends, and the datagrams between them.
struct World {
    relay: Relay,
    server: Server,
    now: Duration,
    /// Whether the next datagram is lost.
    is_lost: Box<dyn FnMut() -> bool>,
    events: Vec<Output>,
    received: Vec<(SocketAddr, Vec<u8>)>,
}

impl World {
    fn new() -> Self {
        let credential = Credential {
            username: "user".into(),
            password: "secret".into(),
        };
        Self {
            relay: Relay::new(Way::Datagrams, credential, numbers()),
            server: Server::new(),
            now: Duration::ZERO,
            is_lost: Box::new(|| false),
            events: Vec::new(),
            received: Vec::new(),
        }
    }

    fn open() -> Self {
        let mut world = Self::new();
        world.relay.want(true, world.now);
        world.run_for(Duration::ZERO);
        assert_eq!(world.relay.address(), Some(at(RELAYED)));
        world.events.clear();
        world
    }

    fn transmit(&mut self, bytes: &[u8]) {
        if (self.is_lost)() {
            return;
        }
        let answer = self.server.take(bytes, self.now);
        if let Some(answer) = answer.filter(|_| !(self.is_lost)()) {
            assert_eq!(self.relay.receive(&answer, self.now), None);
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            match self.relay.poll(self.now) {
                Output::Connect => self.relay.connected(self.server.is_ipv6, self.now),
                Output::Transmit(bytes) => self.transmit(&bytes),
                Output::Wait(Some(at)) if at <= end => self.now = self.now.max(at),
                Output::Wait(_) => break,
                event => self.events.push(event),
            }
        }
        self.now = end;
    }

    fn send(&mut self, peer: &str, text: &str) {
        if let Some(bytes) = self.relay.send(at(peer), text.as_bytes(), self.now) {
            self.transmit(&bytes);
        }
        self.run_for(Duration::ZERO);
    }

    fn peer_sends(&mut self, peer: &str, text: &str) {
        if let Some(bytes) = self.server.sent_by(at(peer), text.as_bytes(), self.now) {
            let (from, range) = self.relay.receive(&bytes, self.now).unwrap();
            self.received.push((from, bytes[range].to_vec()));
        }
    }

    fn relayed(&self) -> Vec<&[u8]> {
        self.server.relayed.iter().map(|(_, bytes)| bytes.as_slice()).collect()
    }
}

#[test]
fn what_peers_send_each_other_goes_through_the_relay() {
    let mut world = World::open();
    world.send(PEER, "first");
    world.send(PEER, "second");
    assert_eq!(world.relayed(), [b"first".as_slice(), b"second"]);
    world.peer_sends(PEER, "back");
    // Another port of the same host: its NAT has one for each of its peers.
    world.peer_sends("203.0.113.5:7001", "from elsewhere");
    assert_eq!(world.received[0], (at(PEER), b"back".to_vec()));
    assert_eq!(world.received[1], (at("203.0.113.5:7001"), b"from elsewhere".to_vec()));
    world.peer_sends("203.0.113.6:7000", "from a stranger");
    assert_eq!(world.received.len(), 2);
}

#[test]
fn an_address_and_its_channels_last_as_long_as_they_are_used() {
    let mut world = World::open();
    for minute in 0..60 {
        world.send(PEER, &minute.to_string());
        world.run_for(Duration::from_secs(60));
    }
    assert_eq!(world.relayed().len(), 60);
    assert_eq!(world.events, []);
    // Nobody sends there any more.
    let asked = world.server.requests[&CHANNEL_BIND];
    world.run_for(Duration::from_secs(3600));
    assert!(world.server.requests[&CHANNEL_BIND] <= asked + 1);
    assert!(world.server.requests[&REFRESH] >= 12);
}

#[test]
fn an_old_nonce_is_replaced() {
    let mut world = World::open();
    world.server.nonce = 2;
    world.send(PEER, "a");
    assert_eq!(world.relayed(), [b"a"]);
    for nonce in 3..20 {
        world.server.nonce = nonce;
        world.run_for(Duration::from_secs(300));
    }
    assert_eq!(world.events, []);
    assert_eq!(world.server.requests[&ALLOCATE], 2);
}

#[test]
fn an_address_that_the_relay_forgot_is_made_anew() {
    let mut world = World::open();
    world.run_for(Duration::from_secs(100));
    world.server.until = None;
    world.server.channels.clear();
    world.relay.check(world.now);
    world.run_for(Duration::from_secs(1));
    let [Output::Lost(lost, reason), Output::Disconnect, Output::Allocated(new)] = world.events.as_slice() else {
        panic!("{:?}", world.events);
    };
    assert_eq!((lost, new), (&at(RELAYED), &at(RELAYED)));
    assert!(reason.contains("437"), "{reason}");
    world.send(PEER, "a");
    assert_eq!(world.relayed(), [b"a"]);
}

#[test]
fn a_wrong_password_is_told_and_tried_less_and_less() {
    let mut world = World::new();
    world.server.password = "another";
    world.relay.want(true, world.now);
    world.run_for(Duration::from_secs(600));
    let failures = world.events.iter().filter(|event| matches!(event, Output::Failed(_)));
    assert!((10..20).contains(&failures.count()), "{:?}", world.events);
    // With the right one it is tried at once.
    world.server.password = "secret2";
    let (username, password) = ("user".into(), "secret2".into());
    world.relay.set_credential(Credential { username, password }, world.now);
    world.run_for(Duration::ZERO);
    assert_eq!(world.relay.address(), Some(at(RELAYED)));
}

#[test]
fn an_address_that_nobody_wants_is_given_back() {
    let mut world = World::open();
    world.relay.want(false, world.now);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.events, [Output::Released(at(RELAYED)), Output::Disconnect]);
    assert_eq!(world.server.until, Some(Duration::ZERO));
    world.relay.want(true, world.now);
    world.run_for(Duration::ZERO);
    assert_eq!(world.relay.address(), Some(at(RELAYED)));
}

#[test]
fn a_retired_relay_lasts_as_long_as_it_is_used() {
    let mut world = World::open();
    world.send(PEER, "first");
    world.relay.retire(world.now);
    for _ in 0..1000 {
        world.run_for(RETIRED_IDLE - Duration::from_secs(1));
        // Others may come and go meanwhile.
        world.relay.want(true, world.now);
        world.send(PEER, "still");
    }
    assert_eq!(world.relayed().len(), 1001);
    assert_eq!(world.events, [Output::Retired(at(RELAYED))]);
    assert!(world.server.until.unwrap() > world.now);
    world.run_for(RETIRED_IDLE + Duration::from_secs(1));
    assert_eq!(world.events[1..], [Output::Released(at(RELAYED)), Output::Disconnect]);
    assert!(world.server.until.unwrap() <= world.now, "the server was told");
    world.relay.want(true, world.now);
    assert_eq!(
        world.relay.poll(world.now),
        Output::Wait(None),
        "another one is not made"
    );
}

#[test]
fn a_retired_relay_that_has_no_address_gets_none() {
    let mut lost = World::open();
    lost.relay.retire(lost.now);
    lost.relay.disconnected("it broke off", lost.now);
    let mut asked = World::new();
    asked.is_lost = Box::new(|| true);
    asked.relay.want(true, asked.now);
    asked.run_for(Duration::from_secs(1));
    asked.relay.retire(asked.now);
    for mut world in [lost, asked] {
        world.is_lost = Box::new(|| false);
        world.relay.want(true, world.now);
        world.run_for(Duration::from_secs(100));
        assert_eq!(world.relay.address(), None);
        assert_eq!(world.relay.poll(world.now), Output::Wait(None));
        assert!(
            !world.events.iter().any(|event| matches!(event, Output::Allocated(_))),
            "{:?}",
            world.events
        );
    }
}

#[test]
fn a_relay_that_is_away_is_given_up_and_tried_again() {
    let mut world = World::new();
    world.is_lost = Box::new(|| true);
    world.relay.want(true, world.now);
    world.run_for(Duration::from_secs(40));
    assert_eq!(world.events[0], Output::Failed("it does not answer".into()));
    world.is_lost = Box::new(|| false);
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.relay.address(), Some(at(RELAYED)));
}

#[test]
fn a_peer_that_the_relay_refuses_harms_no_other() {
    let mut world = World::open();
    world.server.forbidden = Some(at(PEER));
    for _ in 0..10 {
        world.send(PEER, "a");
        world.send("203.0.113.6:7000", "b");
    }
    assert_eq!(world.relayed().len(), 10);
    // It is not asked for each datagram.
    assert_eq!(world.server.requests[&CHANNEL_BIND], 2);
    for peer in [
        "127.0.0.1:7000",
        "0.0.0.0:7000",
        "224.0.0.1:7000",
        "[2001:db8::1]:7000",
        "203.0.113.7:0",
    ] {
        world.send(peer, "c");
    }
    assert_eq!(world.server.requests[&CHANNEL_BIND], 2);
}

#[test]
fn what_peers_are_told_is_the_address_that_others_see() {
    let mut reflexive = Reflexive::new(at("10.0.0.1:1000"), &[at(SERVER), at("[2001:db8::1]:3478")], numbers());
    let mut server = Server::new();
    let mut now = Duration::ZERO;
    reflexive.ask(now);
    // The first is lost.
    let reflexive::Output::Transmit(_) = reflexive.poll(now) else {
        panic!()
    };
    let reflexive::Output::Wait(Some(at_least)) = reflexive.poll(now) else {
        panic!()
    };
    now = at_least;
    let reflexive::Output::Transmit(again) = reflexive.poll(now) else {
        panic!()
    };
    assert_eq!((again.from, again.to), (at("10.0.0.1:1000"), at(SERVER)));
    let answer = server.take(&again.bytes, now).unwrap();
    assert!(!reflexive.receive(at("192.0.2.8:3478"), &answer, now));
    assert!(reflexive.receive(at(SERVER), &answer, now));
    assert_eq!(reflexive.poll(now), reflexive::Output::Found(at(MAPPED)));
    assert_eq!(reflexive.poll(now), reflexive::Output::Wait(None));
    // Nothing is asked so soon again.
    reflexive.ask(now + Duration::from_secs(5));
    assert_eq!(reflexive.poll(now), reflexive::Output::Wait(None));
}

#[test]
fn a_relay_over_ipv6_gives_such_an_address_to_such_peers() {
    let mut world = World::new();
    world.server.is_ipv6 = true;
    world.relay.want(true, world.now);
    world.run_for(Duration::ZERO);
    assert_eq!(world.relay.address(), Some(at(RELAYED_IPV6)));
    let peer = "[2001:db8::5]:7000";
    world.send(peer, "there");
    world.peer_sends(peer, "and back");
    assert_eq!(world.relayed(), [b"there"]);
    assert_eq!(world.received, [(at(peer), b"and back".to_vec())]);
    // The relay can't send there, and is not asked to.
    let asked = world.server.requests[&CHANNEL_BIND];
    world.send(PEER, "elsewhere");
    assert_eq!(world.server.requests[&CHANNEL_BIND], asked);
}

#[test]
fn a_relay_that_sends_its_users_away_is_told_of() {
    let mut world = World::new();
    world.server.alternate = Some(at("192.0.2.77:3478"));
    world.relay.want(true, world.now);
    world.run_for(Duration::from_millis(500));
    let [Output::Failed(reason), Output::Disconnect] = world.events.as_slice() else {
        panic!("{:?}", world.events);
    };
    assert!(
        reason.starts_with("it wants 192.0.2.77:3478 to be asked, which is not done (300 "),
        "{reason}"
    );
}

#[test]
fn a_server_that_another_one_names_is_asked() {
    let (named, other) = (at("192.0.2.77:3478"), at("192.0.2.78:3478"));
    // The second one names a third or nobody.
    for (alternates, asks, found) in [
        ([Some(named), None], vec![at(SERVER), named], Some(at(MAPPED))),
        (
            [Some(named), Some(other)],
            vec![at(SERVER), named, other, other, other],
            None,
        ),
    ] {
        let mut reflexive = Reflexive::new(at("10.0.0.1:1000"), &[at(SERVER)], numbers());
        let (now, mut asked) = (Duration::ZERO, Vec::new());
        reflexive.ask(now);
        while let reflexive::Output::Transmit(question) = reflexive.poll(now) {
            let mut server = Server::new();
            server.alternate = alternates[usize::from(!asked.is_empty())];
            asked.push(question.to);
            let answer = server.take(&question.bytes, now).unwrap();
            assert!(reflexive.receive(question.to, &answer, now));
        }
        assert_eq!((asked, reflexive.address()), (asks, found));
    }
}

proptest! {
    #[test]
    fn losses_only_delay_what_goes_through_a_relay(lost in prop::collection::vec(0..4u8, 50)) {
        let mut world = World::new();
        let mut lost = lost.into_iter().cycle();
        world.is_lost = Box::new(move || lost.next() == Some(0));
        world.relay.want(true, world.now);
        // A peer's checks, as ICE sends them, until one is through.
        for _ in 0..200 {
            world.run_for(Duration::from_millis(500));
            world.send(PEER, "check");
        }
        prop_assert!(!world.relayed().is_empty() || world.relay.address().is_none());
    }

    #[test]
    fn no_datagram_of_a_relay_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), kind in 0..4u8) {
        let mut world = World::open();
        world.send(PEER, "a");
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = match kind {
                0 => 0x40,
                1 => 0x01,
                2 => 0x00,
                _ => *first,
            };
        }
        if let Some((_, range)) = world.relay.receive(&bytes, world.now) {
            prop_assert!(range.end <= bytes.len());
        }
    }
}
