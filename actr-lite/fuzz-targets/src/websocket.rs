use actr_lite_wire::websocket::{
    CloseCode, ControlFrame, Decoder, Event, HEADER_ROOM, MAX_CONTROL_PAYLOAD_LEN, ProtocolError, Role, encode_control,
    seal,
};
use bytes::BytesMut;

use crate::explained;

/// Small, so that short inputs meet it.
const MAX_MESSAGE_LEN: usize = 256;

/// The bytes as what a peer sends after the upgrade. The first says which end reads, and how much at a time.
pub fn websocket(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let role = if first & 0x80 == 0 { Role::Client } else { Role::Server };
    let chunk = usize::from(first & 0x7f).max(1);
    let at_once = decoded(role, bytes, bytes.len().max(1));
    assert_eq!(
        decoded(role, bytes, chunk),
        at_once,
        "it matters how much is read at a time"
    );
    at_once.0.into_iter().for_each(|event| written_again(role, event));
}

fn decoded(role: Role, bytes: &[u8], chunk: usize) -> (Vec<Event>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(role, MAX_MESSAGE_LEN);
    let mut buffer = BytesMut::new();
    let mut events = Vec::new();
    let mut wanted = 2;
    for chunk in bytes.chunks(chunk) {
        let is_over = matches!(events.last(), Some(Event::Close(_)));
        buffer.extend_from_slice(chunk);
        let before = buffer.len();
        let is_enough = chunk.len() >= wanted;
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(event)) => {
                    assert!(!is_over, "an event behind a close");
                    let payload_len = match &event {
                        Event::Binary(payload) => payload.len(),
                        Event::Ping(payload) | Event::Pong(payload) => {
                            assert!(payload.len() <= MAX_CONTROL_PAYLOAD_LEN);
                            payload.len()
                        }
                        Event::Text | Event::Close(_) => 0,
                    };
                    assert!(payload_len <= MAX_MESSAGE_LEN, "a message over the limit");
                    assert!(is_enough || wanted == 0, "an event out of less than was wanted");
                    events.push(event);
                }
                Ok(None) => break,
                Err(error) => {
                    explained(&error, bytes);
                    assert!(CloseCode::new(error.close_code().value()).is_some());
                    assert_eq!(decoder.decode(&mut buffer), Err(error), "an error that passes");
                    assert_eq!(decoder.wanted(), 0);
                    return (events, Some(error));
                }
            }
        }
        assert!(buffer.len() <= before);
        wanted = decoder.wanted();
        assert!(wanted <= MAX_MESSAGE_LEN, "more is wanted than a message may have");
        assert_eq!(wanted == 0, matches!(events.last(), Some(Event::Close(_))));
    }
    (events, None)
}

/// What was read and is sent on arrives as it was.
fn written_again(role: Role, event: Event) {
    let mask = role.masks().then_some([0x12, 0x00, 0xff, 0x7d]);
    let frame = match &event {
        Event::Binary(payload) => {
            let mut buffer = vec![0; HEADER_ROOM];
            buffer.extend_from_slice(payload);
            let start = seal(&mut buffer, mask);
            buffer.split_off(start)
        }
        Event::Text => return,
        Event::Ping(payload) => encode_control(ControlFrame::Ping(payload), mask).to_vec(),
        Event::Pong(payload) => encode_control(ControlFrame::Pong(payload), mask).to_vec(),
        Event::Close(frame) => encode_control(ControlFrame::Close(frame.as_ref()), mask).to_vec(),
    };
    let peer = match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    assert_eq!(decoded(peer, &frame, frame.len()), (vec![event], None));
}
