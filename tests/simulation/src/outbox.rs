use actr_lite_wire::{
    control::Control,
    pace::MAX_BATCH,
    record::RecordKind,
    send_queue::{Piece, SendQueue},
    websocket::{CloseFrame, Role},
};
use rand::RngExt as _;

use crate::{
    context::Context,
    network::{Broken, Socket},
};

/// Why a record is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

/// What is to be sent on a connection: the node's own queue, and the bytes of it that the network has not taken.
#[derive(Debug)]
pub(crate) struct Outbox {
    extended: bool,
    queue: SendQueue,
    sealed: Vec<u8>,
    sent: usize,
    /// The longest record so far.
    longest: usize,
    /// The network took less than it was offered the last time.
    was_refused: bool,
    /// What the network has taken in all, and after it had refused some.
    pub(crate) written: u64,
    pub(crate) relieved: u64,
}

impl Outbox {
    pub(crate) fn new(role: Role, extended: bool) -> Self {
        Self {
            extended,
            queue: SendQueue::new(role, extended),
            sealed: Vec::new(),
            sent: 0,
            longest: 0,
            was_refused: false,
            written: 0,
            relieved: 0,
        }
    }

    /// Whether a record of this kind and length would be taken now, were the batch written out first if it can be.
    pub(crate) fn try_send(
        &mut self,
        kind: RecordKind,
        head: &[u8],
        body: &[u8],
        socket: Socket,
        cx: &mut Context<'_>,
    ) -> Result<(), Refused> {
        let len = head.len() + body.len();
        loop {
            if self.queue.is_closed() {
                return Err(Refused::Closed);
            }
            if !self.queue.is_full_for(kind, len) {
                break;
            }
            if self.has_sealed() {
                return Err(Refused::Full);
            }
            self.seal_next(cx);
            // An error is met by the one who reads the same connection.
            let _ = self.write(socket, cx);
        }
        self.queue.push(kind, head, body);
        self.longest = self.longest.max(len);
        let waiting = self.queue.len();
        // Calls may wait beside bulk data, and control records beside both.
        let bound = 4 * MAX_BATCH + self.longest;
        cx.check(waiting <= bound, || {
            format!("the outbox holds {waiting} bytes, more than {bound}")
        });
        Ok(())
    }

    pub(crate) fn send_control(&mut self, control: &Control, cx: &mut Context<'_>) {
        if !self.extended || self.queue.is_closed() {
            return;
        }
        let pushed = self.queue.push_control(control);
        cx.check(pushed.is_ok(), || "a peer makes a node say more than it reads".into());
    }

    /// Bytes that stand before the first message.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.sealed.extend_from_slice(bytes);
    }

    pub(crate) fn ping(&mut self) {
        self.queue.ping();
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        self.queue.pong(payload);
    }

    fn has_sealed(&self) -> bool {
        self.sent < self.sealed.len()
    }

    /// Makes the next thing ready to be written; false: there is nothing.
    fn seal_next(&mut self, cx: &mut Context<'_>) -> bool {
        let piece = self.queue.next_piece(|| cx.rng.random::<u32>().to_be_bytes());
        let Some(Piece { bytes, start }) = piece else {
            return false;
        };
        (self.sealed, self.sent) = (bytes, start);
        true
    }

    fn write(&mut self, socket: Socket, cx: &mut Context<'_>) -> Result<usize, Broken> {
        let offered = &self.sealed[self.sent..];
        let taken = cx.network.write(socket, offered, cx.now, cx.rng)?;
        self.queue.pace().wrote(offered.len(), taken, cx.now);
        self.written += taken as u64;
        if std::mem::replace(&mut self.was_refused, taken < offered.len()) {
            self.relieved += taken as u64;
        }
        self.sent += taken;
        Ok(taken)
    }

    /// Writes until there is nothing more or the connection takes no more. True: the close frame went out.
    pub(crate) fn flush(&mut self, socket: Socket, cx: &mut Context<'_>) -> Result<bool, Broken> {
        loop {
            if !self.has_sealed() && !self.seal_next(cx) {
                return Ok(self.queue.said_goodbye());
            }
            if self.write(socket, cx)? == 0 {
                return Ok(false);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.queue.has_records() && !self.has_sealed()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.queue.closing().is_some()
    }

    pub(crate) fn close(&mut self, frame: CloseFrame) {
        self.queue.close(frame);
    }

    /// Drops what nobody will read, and lets only the close frame follow.
    pub(crate) fn abandon(&mut self, frame: CloseFrame) {
        self.queue.abandon(frame);
    }
}
