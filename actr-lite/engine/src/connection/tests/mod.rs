mod reading;
mod time;

use actr_lite_wire::websocket::{ControlFrame, Fragment, append_frame, encode_control};

use super::*;
use crate::memory::Budget;

const LONGEST: usize = 1 << 20;

const STALL: Duration = Duration::from_secs(100);

const SECOND: Duration = Duration::from_secs(1);

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

fn connection(limit: usize) -> Connection<Budget> {
    let memory = Budget { limit, counted: 0 };
    Connection::new(Role::Server, true, LONGEST, STALL, BytesMut::new(), memory)
}

/// A connection that has looked at what came with the handshake.
fn ready(limit: usize) -> Connection<Budget> {
    let mut connection = connection(limit);
    assert_eq!(connection.incoming(), Ok(Incoming::Nothing));
    connection.caught_up(Partial::default(), Duration::ZERO);
    connection
}

/// Reads from `wire` once, at most `most` bytes, and takes what is complete.
fn read(
    connection: &mut Connection<Budget>,
    wire: &mut &[u8],
    most: usize,
    now: Duration,
) -> Result<Vec<Incoming>, End> {
    if connection.buffer()?.is_some() {
        let held = connection.read.buffer.len() + connection.decoder.fragmented_len();
        assert!(
            held < connection.read.memory.counted,
            "room is counted before it is made"
        );
    }
    if let Some(buffer) = connection.buffer()? {
        let room = buffer.capacity() - buffer.len();
        let len = room.min(most).min(wire.len());
        let (come, rest) = wire.split_at(len);
        buffer.extend_from_slice(come);
        *wire = rest;
        connection.has_read(len, len == room, now)?;
    }
    let mut came = Vec::new();
    loop {
        match connection.incoming()? {
            Incoming::Nothing => break,
            Incoming::Later => connection.begin_turn(),
            incoming => came.push(incoming),
        }
    }
    connection.caught_up(Partial::default(), now);
    Ok(came)
}

fn message(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, Fragment::Whole, body, MASK);
    bytes
}

fn control(frame: ControlFrame<'_>) -> Vec<u8> {
    encode_control(frame, MASK).to_vec()
}
