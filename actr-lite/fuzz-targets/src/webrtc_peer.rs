use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::LazyLock,
    time::{Duration, Instant},
};

use actr_lite_webrtc::{
    peer::{Certificate, Event, Output, Peer, Setup},
    signal::{Description, Signal},
};
use actr_lite_wire::{
    identity::ActrId,
    proto::actr_relay::Payload,
    websocket::{CloseCode, CloseFrame},
};
use bytes::Bytes;

use crate::{data_channel::Share, explained};

/// How much a peer may have to do at one time: its checks of a hundred pairs of addresses, and some times that.
const MOST_OUTPUTS: usize = 2000;

/// The longest record.
const MAX_RECORD_LEN: usize = 8 << 10;

/// The longest datagram: nothing is sent that is longer than a path's MTU.
const MAX_DATAGRAM: usize = 2048;

/// Making one takes longer than all the rest of a run.
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| match Certificate::generate() {
    Ok(certificate) => certificate,
    Err(error) => panic!("{error}"),
});

/// The bytes as what happens to the sessions with one peer. A byte says what, and behind two with its length comes what was
/// relayed: a message as it is encoded, a description, or a candidate; or a datagram. Else the registry says who offers, or
/// that nothing can be relayed, time passes, a session is wanted, or closed.
///
/// What is told to the peer can be read by it, each session is told of once when it begins and once when it ends, and it
/// always comes to rest.
pub fn webrtc_peer(bytes: &[u8]) {
    let mut run = Run::new();
    let mut rest = bytes;
    while let Some((what, behind)) = rest.split_first() {
        rest = run.step(*what, behind, bytes);
        run.settle();
    }
    run.peer.close(enough(), run.now);
    for _ in 0..100 {
        run.settle();
        run.now += Duration::from_secs(1);
    }
    assert!(run.peer.is_idle() && !run.is_open, "it does not end");
}

struct Run {
    peer: Peer<Share>,
    now: Duration,
    is_open: bool,
    /// The last offer that was made.
    exchange: String,
}

impl Run {
    fn new() -> Self {
        let mut peer = Peer::new(Setup {
            certificate: CERTIFICATE.clone(),
            epoch: Instant::now(),
            is_first: true,
            seed: 1,
            max_record_len: MAX_RECORD_LEN,
            memory: Box::new(Share::default),
        });
        peer.add_local(address(0));
        Self {
            peer,
            now: Duration::ZERO,
            is_open: false,
            exchange: String::new(),
        }
    }

    /// What is left for the next step.
    fn step<'a>(&mut self, what: u8, rest: &'a [u8], input: &[u8]) -> &'a [u8] {
        let how = what >> 3;
        let now = self.now;
        match what & 7 {
            0 => self.peer.signal(
                Signal::Role {
                    is_offerer: how & 1 == 1,
                },
                now,
            ),
            1 => self.now += Duration::from_millis(u64::from(how) * u64::from(how) * 15),
            2 => self.peer.connect(now),
            3 if how & 1 == 1 => self.peer.close(enough(), now),
            3 => self.peer.refused("it is not there", now),
            what => {
                let Some((len, rest)) = rest.split_first_chunk() else {
                    return &[];
                };
                let (body, rest) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
                self.take(what, how, body, input);
                return rest;
            }
        }
        rest
    }

    fn take(&mut self, what: u8, how: u8, body: &[u8], input: &[u8]) {
        let now = self.now;
        let text = || String::from_utf8_lossy(body).into_owned();
        match what {
            4 => {
                self.peer.receive(address(how), address(0), body, now);
            }
            5 => {
                let bytes = Bytes::copy_from_slice(body);
                let payload = match how & 7 {
                    0 => Payload::SessionDescription(bytes),
                    1 => Payload::IceCandidate(bytes),
                    2 => Payload::IceRestartRequest(bytes),
                    3 => Payload::IceRestartRejected(bytes),
                    4 => Payload::RoleNegotiation(bytes),
                    _ => Payload::RoleAssignment(bytes),
                };
                match Signal::read(payload) {
                    Ok(signal) => {
                        read_again(&signal);
                        self.peer.signal(signal, now);
                    }
                    Err(error) => explained(&error, input),
                }
            }
            6 => {
                let exchange = match how & 4 {
                    0 => format!("theirs-{}", how >> 3),
                    _ => self.exchange.clone(),
                };
                let description = Description { sdp: text(), exchange };
                let signal = match how & 3 {
                    0 => Signal::Offer(description),
                    1 => Signal::Answer(description),
                    2 => Signal::Reoffer(description),
                    _ => Signal::AskRestart,
                };
                self.peer.signal(signal, now);
            }
            _ => {
                let (candidate, generation) = (text(), (how & 1 == 1).then(|| "abcd".into()));
                self.peer.signal(Signal::Candidate { candidate, generation }, now);
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            let output = self.peer.poll(self.now);
            while let Some(event) = self.peer.event() {
                match event {
                    Event::Ready(_) => assert!(!std::mem::replace(&mut self.is_open, true)),
                    Event::Ended(_) | Event::Closed(_) => assert!(std::mem::replace(&mut self.is_open, false)),
                    Event::Record(_) | Event::Recovering | Event::Recovered => assert!(self.is_open),
                    Event::Failed(_) => assert!(!self.is_open),
                    // It may come before the session is ready.
                    Event::Path { .. } => {}
                }
            }
            match output {
                Output::Wait(until) => return assert!(until.is_none_or(|until| until > self.now)),
                Output::Transmit(datagram) => assert!(datagram.bytes.len() <= MAX_DATAGRAM),
                Output::Writable | Output::Signal(Signal::AskRole) => {}
                Output::Signal(signal) => {
                    if let Signal::Offer(offer) | Signal::Reoffer(offer) = &signal {
                        self.exchange.clone_from(&offer.exchange);
                    }
                    read_again(&signal);
                }
            }
        }
        panic!("it does not come to rest");
    }
}

fn enough() -> CloseFrame {
    CloseFrame::new(CloseCode::NORMAL, "enough")
}

fn address(port: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 1000 + u16::from(port)))
}

/// What is relayed is read as what was said.
fn read_again(signal: &Signal) {
    let id = |serial| match "acme:Echo:1.0.0".parse() {
        Ok(actr_type) => ActrId::new(serial, 1, actr_type),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(Signal::read(signal.payload(&id(1), &id(2))).as_ref(), Ok(signal));
}
