//! What is to be sent on a connection: records in, bytes for the socket out.
//!
//! Pings and pongs leave first, then records in the order of their [`RecordQueue`]. A piece of bulk is as long as [`Pace`]
//! says. Without the extension a record that is longer is cut into the fragments of one message, between which only pings
//! and pongs may stand.

use crate::{
    control::Control,
    pace::Pace,
    record::{HEADER_LEN, RecordKind},
    record_queue::{
        MAX_AHEAD_RECORD, Overwhelmed, Precedence, RecordQueue,
        records::{Cut, record_len},
    },
    websocket::{CloseFrame, ControlFrame, Fragment, HEADER_ROOM, Role, append_frame, encode_control, seal},
};

/// Up to this length all that waits makes one message: what is ahead then waits less than a second for the rest, on a link
/// of 5 KB/s, and an answer with the beginning of its stream costs one message.
const ONE_MESSAGE: usize = 4 << 10;

/// Up to this length bulk data that waits leaves in one write with what is ahead of it: copying this much costs less
/// than another system call.
const ONE_WRITE: usize = 16 << 10;

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
    records: RecordQueue,
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
            records: RecordQueue::one_way(),
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
        self.records.is_full_for(kind, len, self.pace.batch())
    }

    /// Adds a record, whose body is `head` and `body` together.
    #[inline]
    pub fn push(&mut self, kind: RecordKind, head: &[u8], body: &[u8]) {
        self.records.push(kind, head, body);
    }

    /// Adds a control record, however much waits.
    ///
    /// # Errors
    /// When too many of them wait: the peer does not read.
    pub fn push_control(&mut self, control: &Control) -> Result<(), Overwhelmed> {
        self.records.push_control(control)
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
        self.records.clear();
    }

    /// Whether any record waits.
    #[inline]
    pub fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// Whether the next piece of bulk is not the last, or as long as one gets.
    pub fn has_full_batch(&self) -> bool {
        self.records.records(Precedence::Bulk).len() >= self.pace.batch()
    }

    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.records.len()
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
        let bulk = self.records.records(Precedence::Bulk);
        let (has_bulk, is_cut) = (!bulk.is_empty(), bulk.is_cut());
        let longest = self.pace.batch();
        // Between the fragments of a message no other message may stand.
        if !self.records.records(Precedence::Ahead).is_empty() && (self.extended || !is_cut) {
            if self.extended && !is_cut && self.len() <= ONE_MESSAGE {
                self.records.join();
            }
            let longest_ahead = longest.max(MAX_AHEAD_RECORD + HEADER_LEN);
            let mut ahead = self.piece(Precedence::Ahead, longest_ahead, &mut mask)?;
            if self.len() <= ONE_WRITE
                && let Some(bulk) = self.piece(Precedence::Bulk, longest, mask)
            {
                ahead.bytes.extend_from_slice(&bulk.bytes[bulk.start..]);
            }
            return Some(ahead);
        }
        if has_bulk {
            return self.piece(Precedence::Bulk, longest, mask);
        }
        let frame = self.close.take()?;
        self.said_goodbye = true;
        self.closed = true;
        Some(Piece {
            bytes: encode_control(ControlFrame::Close(Some(&frame)), mask()).to_vec(),
            start: 0,
        })
    }

    /// The next piece of this precedence, if there is any.
    fn piece(
        &mut self,
        precedence: Precedence,
        longest: usize,
        mut mask: impl FnMut() -> Option<[u8; 4]>,
    ) -> Option<Piece> {
        if self.extended {
            let mut bytes = self.records.take(precedence, longest)?;
            let start = seal(&mut bytes, mask());
            return Some(Piece { bytes, start });
        }
        let records = self.records.records_mut(precedence);
        if records.is_empty() {
            return None;
        }
        let (cut, bytes) = records.cut(longest);
        let mut out = Vec::with_capacity(HEADER_ROOM + HEADER_LEN + bytes.len());
        match cut {
            Cut::Records => {
                let mut rest = bytes;
                while let Some(len) = record_len(rest) {
                    let (record, behind) = rest.split_at(len.min(rest.len()));
                    append_frame(&mut out, Fragment::Whole, record, mask());
                    rest = behind;
                }
            }
            Cut::Part(fragment) => append_frame(&mut out, fragment, bytes, mask()),
        }
        let len = bytes.len();
        records.advance(cut, len);
        Some(Piece { bytes: out, start: 0 })
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

#[cfg(test)]
mod tests;
