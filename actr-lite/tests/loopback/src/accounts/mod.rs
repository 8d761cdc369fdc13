//! Whoever misbehaves harms only himself: what a peer makes a node hold is bounded by its share, in whatever form it is
//! held, and nothing waits for a peer without an end.

mod calls;
mod places;
mod received;
mod streams;

use std::time::Duration;

use actr_lite::ActrRef;
use actr_lite_wire::{envelope::Envelope, peer_text::RawText, record::RecordKind};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::{
    harness::{
        deadline::within,
        messages::{Answer, Ask},
    },
    raw_peer::{connection::RawPeer, wire_bytes::record},
};

const STALL: &str = "system.limits.stall_timeout=300ms";

/// What `Ask` answers at length is this long.
const LONG: usize = 1 << 20;

fn request(request_id: impl Into<RawText>, route: &str, payload: Vec<u8>) -> Vec<u8> {
    let envelope = Envelope::Request {
        request_id: request_id.into(),
        route_key: route.into(),
        payload: payload.into(),
        metadata: Vec::new(),
        trace: None,
        timeout: Some(Duration::from_secs(1 << 30)),
    };
    record(RecordKind::RpcReliable, &envelope.encode())
}

fn long_ask() -> Vec<u8> {
    let data = Bytes::from(vec![7; LONG]);
    Ask { data, ..Ask::default() }.encode_to_vec()
}

/// Sends this again and again, and pings in between, until the node closes the connection; it reads nothing.
async fn send_until_closed(peer: &mut RawPeer, mut message: impl FnMut(u64) -> Vec<u8>) {
    within(async {
        for number in 0.. {
            let sent = peer.socket.send(Message::binary(message(number))).await;
            if sent.is_err() || peer.socket.send(Message::Ping(Bytes::new())).await.is_err() {
                return;
            }
        }
    })
    .await;
}

/// Pings until the node closes the connection; the code and the reason.
async fn closed_in_spite_of_pings(peer: RawPeer) -> (CloseCode, String) {
    let (mut sink, mut stream) = peer.socket.split();
    let pinging = tokio::spawn(async move {
        while sink.send(Message::Ping(Bytes::new())).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let frame = within(async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(frame))) => return frame.unwrap(),
                Some(Ok(_)) => {}
                other => panic!("it was not told: {other:?}"),
            }
        }
    })
    .await;
    pinging.abort();
    (frame.code, frame.reason.to_string())
}

async fn echo(peer: &ActrRef, server: &ActrRef) {
    let answer = within(peer.context().call(&server.actor_id(), Ask::default())).await;
    assert_eq!(answer.unwrap(), Answer::default());
}
