//! What is to be sent on a connection: records in, bytes for the socket out.
//!
//! Pings and pongs leave first, then calls, answers, credit and cancels, and bulk data last. The end of a stream, or its
//! error, leaves ahead of the bulk of other streams too, but not of its own: a receiver that has the end takes what still
//! comes for another stream. That also holds for a stream that was cancelled, as its end tells the receiver that the name
//! is free again. A piece of bulk is as long as [`Pace`] says. A record longer than that is cut: with the extension into records of kind
//! [`Part`](RecordKind::Part), between which other records leave; without it into the fragments of one message, between
//! which only pings and pongs may stand.

mod records;

use self::records::{Cut, Records};
use crate::{
    control::Control,
    pace::Pace,
    record::{HEADER_LEN, RecordKind, header},
    websocket::{CloseFrame, ControlFrame, Fragment, HEADER_ROOM, Role, append_frame, encode_control, seal},
};

/// The longest call or answer that leaves ahead of bulk data: the others are bulk themselves.
const MAX_AHEAD_RECORD: usize = 16 << 10;

/// How many bytes of calls and answers wait before further ones are refused.
const MAX_AHEAD: usize = 64 << 10;

/// How many bytes of control records may wait for a peer that does not read: thousands of streams' worth.
const MAX_CONTROL_BACKLOG: usize = 1 << 20;

/// Up to this length all that waits makes one message: what is ahead then waits less than a second for the rest, on a link
/// of 5 KB/s, and an answer with the beginning of its stream costs one message.
const ONE_MESSAGE: usize = 4 << 10;

/// Up to this length bulk data that waits leaves in one write with what is ahead of it: copying this much costs less
/// than another system call.
const ONE_WRITE: usize = 16 << 10;

/// In which order records leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precedence {
    /// Before all bulk data; among each other in order.
    Ahead,
    /// In order.
    Bulk,
}

impl Precedence {
    /// That of a record with a body of this length. The end of a stream is bulk where something of the stream waits.
    pub fn of(kind: RecordKind, len: usize) -> Self {
        match kind {
            RecordKind::RpcReliable | RecordKind::RpcSignal if len <= MAX_AHEAD_RECORD => Self::Ahead,
            RecordKind::StreamCredit | RecordKind::StreamCancel | RecordKind::CallCancel | RecordKind::Leaving => {
                Self::Ahead
            }
            _ => Self::Bulk,
        }
    }
}

/// The peer makes this side say more than it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overwhelmed;

/// Bytes for the socket: whole WebSocket frames.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// They begin at `start`.
    pub bytes: Vec<u8>,
    /// Where they begin.
    pub start: usize,
}

/// The records that wait to be sent on one connection, and how much of them goes out at once.
#[derive(Debug)]
pub struct SendQueue {
    role: Role,
    extended: bool,
    pace: Pace,
    ping: bool,
    /// The payload of the last ping that was not answered: it answers those before it too (RFC 6455 §5.5.3).
    pong: Option<Vec<u8>>,
    ahead: Records,
    bulk: Records,
    close: Option<CloseFrame>,
    said_goodbye: bool,
    closed: bool,
    /// How many bytes of records were given out.
    given_out: u64,
}

impl SendQueue {
    /// For an end of a connection; `extended`: the peer takes batches and control records.
    pub fn new(role: Role, extended: bool) -> Self {
        Self {
            role,
            extended,
            pace: Pace::default(),
            ping: false,
            pong: None,
            ahead: Records::default(),
            bulk: Records::default(),
            close: None,
            said_goodbye: false,
            closed: false,
            given_out: 0,
        }
    }

    /// What one write takes, and what the system should hold.
    pub fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    /// Whether nothing is taken any more.
    pub fn is_closed(&self) -> bool {
        self.closed || self.close.is_some()
    }

    /// Whether a record with a body of this length would wait behind too much: some of that has to leave first.
    #[inline]
    pub fn is_full_for(&self, kind: RecordKind, len: usize) -> bool {
        let (records, most) = match Precedence::of(kind, len) {
            Precedence::Ahead => (&self.ahead, MAX_AHEAD),
            Precedence::Bulk => (&self.bulk, self.pace.batch()),
        };
        !records.is_empty() && records.len() + HEADER_LEN + len > most
    }

    /// Adds a record, whose body is `head` and `body` together.
    #[inline]
    pub fn push(&mut self, kind: RecordKind, head: &[u8], body: &[u8]) {
        let precedence = Precedence::of(kind, head.len() + body.len());
        self.records(precedence).push(kind, head, body);
    }

    #[inline]
    fn records(&mut self, precedence: Precedence) -> &mut Records {
        match precedence {
            Precedence::Ahead => &mut self.ahead,
            Precedence::Bulk => &mut self.bulk,
        }
    }

    /// Adds a control record, however much waits.
    ///
    /// # Errors
    /// When too many of them wait: the peer does not read.
    pub fn push_control(&mut self, control: &Control) -> Result<(), Overwhelmed> {
        let (kind, body) = control.encode();
        if self.ahead.control() + self.bulk.control() + HEADER_LEN + body.len() > MAX_CONTROL_BACKLOG {
            return Err(Overwhelmed);
        }
        // Bulk that waits is a batch as a rule: a look through it takes microseconds.
        let precedence = match control.ends() {
            Some(stream_id) if !self.bulk.has_any_of(stream_id) => Precedence::Ahead,
            _ => Precedence::of(kind, body.len()),
        };
        self.records(precedence).push(kind, &[], &body);
        Ok(())
    }

    /// Adds a ping, unless one waits.
    pub fn ping(&mut self) {
        self.ping = true;
    }

    /// Adds a pong, in place of one that waits.
    pub fn pong(&mut self, payload: &[u8]) {
        self.pong = Some(payload.to_vec());
    }

    /// Lets nothing follow but this, behind all that waits; without effect after the first time.
    pub fn close(&mut self, frame: CloseFrame) {
        if !self.is_closed() {
            self.close = Some(frame);
        }
    }

    /// Why this side closes, while there is still something to be sent before.
    pub fn closing(&self) -> Option<&CloseFrame> {
        self.close.as_ref()
    }

    /// Whether the close frame was the last piece.
    pub fn said_goodbye(&self) -> bool {
        self.said_goodbye
    }

    /// Drops what will not be read, and lets only the close frame follow.
    pub fn abandon(&mut self, frame: CloseFrame) {
        self.end();
        if !self.said_goodbye {
            self.close = Some(frame);
        }
    }

    /// Drops everything and takes nothing any more.
    pub fn end(&mut self) {
        self.closed = true;
        self.ahead = Records::default();
        self.bulk = Records::default();
    }

    /// Whether any record waits.
    #[inline]
    pub fn has_records(&self) -> bool {
        !self.ahead.is_empty() || !self.bulk.is_empty()
    }

    /// Whether the next piece of bulk is not the last, or as long as one gets.
    pub fn has_full_batch(&self) -> bool {
        self.bulk.len() >= self.pace.batch()
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.ahead.len() + self.bulk.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        !self.has_records() && !self.ping && self.pong.is_none() && self.close.is_none()
    }

    /// How many bytes of records were given out so far: what a peer has taken of them, but for the last piece. Pings and
    /// pongs are not among them.
    pub fn given_out(&self) -> u64 {
        self.given_out
    }

    /// The next bytes for the socket, to be written before those of any later call. `mask` gives masking keys, each
    /// unpredictable and used once.
    pub fn next_piece(&mut self, mut mask: impl FnMut() -> [u8; 4]) -> Option<Piece> {
        let masks = self.role.masks();
        let mut mask = || masks.then(&mut mask);
        if self.ping || self.pong.is_some() {
            return Some(self.control_frames(&mut mask));
        }
        let piece = self.next_records(&mut mask);
        if let Some(piece) = &piece {
            self.given_out += (piece.bytes.len() - piece.start) as u64;
        }
        piece
    }

    fn next_records(&mut self, mut mask: impl FnMut() -> Option<[u8; 4]>) -> Option<Piece> {
        // Between the fragments of a message no other message may stand.
        if !self.ahead.is_empty() && (self.extended || !self.bulk.is_cut()) {
            let is_short = self.len() <= ONE_MESSAGE && !self.bulk.is_cut();
            if self.extended && is_short {
                self.ahead.append(&mut self.bulk);
            }
            let longest = self.pace.batch().max(MAX_AHEAD_RECORD + HEADER_LEN);
            let mut ahead = piece(&mut self.ahead, longest, self.extended, &mut mask);
            if !self.bulk.is_empty() && self.len() <= ONE_WRITE {
                let bulk = piece(&mut self.bulk, self.pace.batch(), self.extended, mask);
                ahead.bytes.extend_from_slice(&bulk.bytes[bulk.start..]);
            }
            return Some(ahead);
        }
        if !self.bulk.is_empty() {
            return Some(piece(&mut self.bulk, self.pace.batch(), self.extended, mask));
        }
        let frame = self.close.take()?;
        self.said_goodbye = true;
        self.closed = true;
        Some(Piece {
            bytes: encode_control(ControlFrame::Close(Some(&frame)), mask()).to_vec(),
            start: 0,
        })
    }

    fn control_frames(&mut self, mut mask: impl FnMut() -> Option<[u8; 4]>) -> Piece {
        let mut bytes = Vec::new();
        if std::mem::take(&mut self.ping) {
            bytes.extend_from_slice(&encode_control(ControlFrame::Ping(&[]), mask()));
        }
        if let Some(payload) = self.pong.take() {
            bytes.extend_from_slice(&encode_control(ControlFrame::Pong(&payload), mask()));
        }
        Piece { bytes, start: 0 }
    }
}

/// The next piece of these records, which are some.
fn piece(records: &mut Records, longest: usize, extended: bool, mut mask: impl FnMut() -> Option<[u8; 4]>) -> Piece {
    if extended && let Some(mut bytes) = records.take_all(longest) {
        let start = seal(&mut bytes, mask());
        return Piece { bytes, start };
    }
    let (cut, bytes) = records.cut(longest);
    let mut out = Vec::with_capacity(HEADER_ROOM + HEADER_LEN + bytes.len());
    if extended {
        out.resize(HEADER_ROOM, 0);
        if cut != Cut::Records {
            out.extend_from_slice(&header(RecordKind::Part, bytes.len()));
        }
        out.extend_from_slice(bytes);
        records.advance(
            cut,
            out.len() - HEADER_ROOM - if cut == Cut::Records { 0 } else { HEADER_LEN },
        );
        let start = seal(&mut out, mask());
        return Piece { bytes: out, start };
    }
    match cut {
        Cut::Records => {
            let mut rest = bytes;
            while let Some(len) = records::record_len(rest) {
                let (record, behind) = rest.split_at(len.min(rest.len()));
                append_frame(&mut out, Fragment::Whole, record, mask());
                rest = behind;
            }
        }
        Cut::Part(fragment) => append_frame(&mut out, fragment, bytes, mask()),
    }
    let len = bytes.len();
    records.advance(cut, len);
    Piece { bytes: out, start: 0 }
}

#[cfg(test)]
mod tests;
