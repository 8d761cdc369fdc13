use std::time::{Duration, Instant};

use actr_lite_engine::memory::Memory;
use str0m::channel::Reliability;

use super::{Outcome, Session};
use crate::{assembly::Assembly, certificate::Certificate, channel::Channel, local::Local};

/// Counts nothing.
#[derive(Debug)]
struct Unlimited;

impl Memory for Unlimited {
    type Limit = ();

    fn cover(&mut self, _: usize) -> Result<(), ()> {
        Ok(())
    }

    fn shrink(&mut self, _: usize) {}
}

/// Both ends of a session, on one clock and a network that loses nothing.
struct Pair {
    sessions: [Session<Unlimited>; 2],
    now: Duration,
}

impl Pair {
    fn new() -> Self {
        let (certificate, epoch, now) = (Certificate::generate().unwrap(), Instant::now(), Duration::ZERO);
        let local = |number| [Local::Host(([192, 0, 2, number], 1000).into())];
        let assembly = || Assembly::new(1 << 20, Unlimited);
        let (mut offerer, offer) = Session::offer(&certificate, &local(1), assembly(), epoch, now).unwrap();
        let answered = Session::answer(&certificate, &local(2), assembly(), epoch, now, &offer);
        let (answerer, answer) = answered.unwrap();
        offerer.accept_answer(&answer).unwrap();
        Self {
            sessions: [offerer, answerer],
            now,
        }
    }

    /// What comes of either within some seconds.
    fn outcomes(&mut self) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::new();
        let end = self.now + Duration::from_secs(3);
        while self.now < end {
            let mut next = end;
            for at in [0, 1] {
                loop {
                    match self.sessions[at].poll(self.now) {
                        Outcome::Wait(until) => break next = next.min(until),
                        Outcome::Transmit(datagram) => {
                            let (from, to) = (datagram.from, datagram.to);
                            let other = &mut self.sessions[1 - at];
                            other.receive(from, to, &datagram.bytes, self.now).unwrap();
                            next = self.now;
                        }
                        outcome => outcomes.push((at, outcome)),
                    }
                }
            }
            self.now = next;
        }
        outcomes
    }
}

#[test]
fn a_channel_that_the_peer_closes_ends_the_session() {
    // Otherwise the peer might open another one with the number of this one.
    for closes in [0, 1] {
        let mut pair = Pair::new();
        let opened = pair.outcomes();
        let opened = opened.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Open));
        assert_eq!(opened.count(), 2 * Channel::ALL.len());
        let session = &mut pair.sessions[closes];
        let id = session.channels[Channel::RpcSignal.index()].unwrap();
        session.rtc.direct_api().close_data_channel(id);
        let outcomes = pair.outcomes();
        let told = |(at, outcome): &(usize, Outcome)| match outcome {
            Outcome::Ended(reason) => *at != closes && reason == "the peer closed the channel RPC_SIGNAL",
            _ => false,
        };
        assert!(outcomes.iter().any(told), "{outcomes:?}");
    }
}

#[test]
fn frames_are_given_up_on_the_channel_for_late_ones_alone() {
    let mut pair = Pair::new();
    pair.outcomes();
    // The answerer knows what it was told when each was opened.
    let answerer = &mut pair.sessions[1];
    for (id, channel) in answerer.open.clone() {
        let open = answerer.rtc.channel(id).unwrap();
        let config = open.config().unwrap();
        let expected = match channel {
            Channel::StreamLatencyFirst => (false, Reliability::MaxRetransmits { retransmits: 3 }),
            _ => (true, Reliability::Reliable),
        };
        assert_eq!((config.ordered, config.reliability), expected, "{channel:?}");
    }
}
