use actr_lite_engine::memory::Memory;
use actr_lite_webrtc::{channel::Channel, outgoing::Outgoing};
use actr_lite_wire::record_queue::Precedence;

use crate::Files;

/// Counts nothing.
struct Unlimited;

impl Memory for Unlimited {
    type Limit = ();

    fn cover(&mut self, _: usize) -> Result<(), ()> {
        Ok(())
    }

    fn shrink(&mut self, _: usize) {}
}

/// A length, and what is as long.
fn measured(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

pub(crate) fn messages() -> Files {
    let mut outgoing = Outgoing::new(false, Unlimited);
    let mut bytes = Vec::new();
    for channel in Channel::ALL {
        let _ = outgoing.push(channel.kind(), b"head", b"body");
    }
    let next = |outgoing: &mut Outgoing<_>| {
        let ahead = outgoing.take(Precedence::Ahead);
        ahead.or_else(|| outgoing.take(Precedence::Bulk))
    };
    while let Some(mut batch) = next(&mut outgoing) {
        while let Some((channel, message)) = batch.next() {
            bytes.push(channel.index() as u8);
            bytes.extend(measured(message));
            batch.advance();
        }
        outgoing.left(batch);
    }
    let fragment = |lane: u8, number: u8, index: u8, count: u8| {
        let message = [0, 0, 0, number, 0, index, 0, count, b'a', index];
        [&[lane][..], &measured(&message)].concat()
    };
    let mixed = [(1, 0), (2, 0), (2, 1), (1, 1)].map(|(number, index)| fragment(2, number, index, 2));
    let lossy = (0..20)
        .map(|number| fragment(3, number, 0, 2))
        .chain([fragment(3, 19, 1, 2)]);
    vec![
        ("whole", bytes),
        ("mixed", mixed.concat()),
        ("forgotten", lossy.collect::<Vec<_>>().concat()),
        ("twice", [fragment(6, 1, 0, 3), fragment(6, 1, 0, 3)].concat()),
    ]
}

#[cfg(feature = "webrtc")]
pub(crate) fn peers() -> Result<Files, Box<dyn std::error::Error>> {
    use std::{
        net::SocketAddr,
        time::{Duration, Instant},
    };

    use actr_lite_webrtc::{
        peer::{Certificate, Output, Peer, Setup},
        signal::{Description, Signal},
    };

    let (now, certificate) = (Duration::ZERO, Certificate::generate()?);
    let peer = |seed| {
        let mut peer = Peer::new(Setup {
            certificate: certificate.clone(),
            epoch: Instant::now(),
            is_first: seed == 1,
            seed,
            max_record_len: 8 << 10,
            memory: Box::new(|| Unlimited),
        });
        peer.add_local(SocketAddr::from(([192, 0, 2, 1], 1000 + seed as u16)));
        peer
    };
    let told = |peer: &mut Peer<Unlimited>, signal| -> Result<Description, &'static str> {
        peer.signal(signal, now);
        loop {
            match peer.poll(now) {
                Output::Signal(Signal::Offer(description) | Signal::Answer(description)) => return Ok(description),
                Output::Wait(_) => return Err("a peer says nothing"),
                Output::Transmit(_) | Output::Signal(_) | Output::Writable => {}
            }
        }
    };
    // What the target's own peer offers, is answered here by another one; and the other way round.
    let (mut first, mut second) = (peer(1), peer(2));
    let offer = told(&mut first, Signal::Role { is_offerer: true })?;
    let answer = told(&mut second, Signal::Offer(offer))?;
    let offer = told(&mut peer(2), Signal::Role { is_offerer: true })?;
    let step = |what: u8, how: u8, body: &[u8]| [&[how << 3 | what][..], &measured(body)].concat();
    let text = |how, description: &Description| step(6, how, description.sdp.as_bytes());
    let (offers, is_told) = (vec![2, 1 << 3], vec![2, 0]);
    let candidate = step(7, 0, b"candidate:1 1 udp 2130706175 192.0.2.9 1002 typ host");
    let waits = vec![8 << 3 | 1];
    let check = step(
        4,
        2,
        &[
            0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
        ],
    );
    let all = |parts: &[&[u8]]| parts.concat();
    Ok(vec![
        (
            "answered",
            all(&[&offers, &text(4 | 1, &answer), &candidate, &waits, &check, &waits]),
        ),
        (
            "offered",
            all(&[&is_told, &text(0, &offer), &candidate, &waits, &check, &waits]),
        ),
        (
            "offered-again",
            all(&[&text(0, &offer), &waits, &text(2, &offer), &waits]),
        ),
        (
            "both-offer",
            all(&[&offers, &text(0, &offer), &text(4 | 1, &answer), &waits]),
        ),
        ("refused", vec![2, 3, 2, 31 << 3 | 1, 31 << 3 | 1]),
        (
            "relayed",
            step(5, 1, b"\x0a\x34candidate:1 1 udp 2130706175 192.0.2.9 1002 typ host"),
        ),
        ("role", all(&[&[2], &step(5, 5, &[8, 1]), &waits])),
        ("closed", all(&[&text(0, &offer), &[1 << 3 | 3], &waits])),
    ])
}
