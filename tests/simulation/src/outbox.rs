use actr_lite_wire::{
    control::Control,
    record::{self, RecordKind},
    websocket::{CloseFrame, ControlFrame, HEADER_ROOM, Role, encode_control, seal},
};
use rand::RngExt as _;

use crate::{
    context::Context,
    network::{Broken, Socket},
};

/// When a batch is written out: the node's own bound.
const HIGH_WATER: usize = 64 << 10;

/// How far calls may go beyond that: the node's own bound.
const CALL_RESERVE: usize = 64 << 10;

/// Why a record is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

/// What is to be sent on a connection: as the node's outbox, without its locks.
#[derive(Debug)]
pub(crate) struct Outbox {
    role: Role,
    extended: bool,
    batch: Vec<u8>,
    sealed: Vec<u8>,
    sent: usize,
    control: usize,
    closing: Option<CloseFrame>,
    said_goodbye: bool,
    closed: bool,
}

impl Outbox {
    pub(crate) fn new(role: Role, extended: bool) -> Self {
        Self {
            role,
            extended,
            batch: Vec::new(),
            sealed: Vec::new(),
            sent: 0,
            control: 0,
            closing: None,
            said_goodbye: false,
            closed: false,
        }
    }

    fn mask(&self, cx: &mut Context<'_>) -> Option<[u8; 4]> {
        self.role.masks().then(|| cx.rng.random::<u32>().to_be_bytes())
    }

    fn append(&mut self, kind: RecordKind, head: &[u8], body: &[u8], cx: &mut Context<'_>) {
        let start = self.batch.len();
        if !self.extended || start == 0 {
            self.batch.resize(start + HEADER_ROOM, 0);
        }
        self.batch
            .extend_from_slice(&record::header(kind, head.len() + body.len()));
        self.batch.extend_from_slice(head);
        self.batch.extend_from_slice(body);
        if !self.extended {
            let mask = self.mask(cx);
            let unused = seal(&mut self.batch[start..], mask);
            self.batch.drain(start..start + unused);
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
        let len = record::HEADER_LEN + head.len() + body.len();
        let is_call = matches!(kind, RecordKind::RpcReliable | RecordKind::RpcSignal);
        let high_water = if is_call { HIGH_WATER + CALL_RESERVE } else { HIGH_WATER };
        loop {
            if self.closed || self.closing.is_some() {
                return Err(Refused::Closed);
            }
            if self.batch.is_empty() || self.batch.len() + len <= high_water {
                break;
            }
            if self.has_sealed() {
                return Err(Refused::Full);
            }
            self.seal_next(cx);
            // An error is met by the one who reads the same connection.
            let _ = self.write(socket, cx);
        }
        self.append(kind, head, body, cx);
        let bound = (HIGH_WATER + CALL_RESERVE).max(len + HEADER_ROOM) + self.control;
        cx.check(self.batch.len() <= bound, || {
            format!("the outbox holds {} bytes, more than {bound}", self.batch.len())
        });
        Ok(())
    }

    pub(crate) fn send_control(&mut self, control: &Control, cx: &mut Context<'_>) {
        if !self.extended || self.closed || self.closing.is_some() {
            return;
        }
        let (kind, body) = control.encode();
        self.control += record::HEADER_LEN + body.len();
        self.append(kind, &[], &body, cx);
    }

    /// Bytes that stand before the first message.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.sealed.extend_from_slice(bytes);
    }

    /// A ping or a pong; it goes out before the records.
    pub(crate) fn send_control_frame(&mut self, frame: ControlFrame<'_>, cx: &mut Context<'_>) {
        let frame = encode_control(frame, self.mask(cx));
        self.sealed.extend_from_slice(&frame);
    }

    fn has_sealed(&self) -> bool {
        self.sent < self.sealed.len()
    }

    /// Makes the next thing ready to be written; false: there is nothing.
    fn seal_next(&mut self, cx: &mut Context<'_>) -> bool {
        self.sealed = Vec::new();
        self.sent = 0;
        if !self.batch.is_empty() {
            self.control = 0;
            self.sealed = std::mem::take(&mut self.batch);
            if self.extended {
                let mask = self.mask(cx);
                self.sent = seal(&mut self.sealed, mask);
            }
            return true;
        }
        let Some(frame) = self.closing.take() else {
            return false;
        };
        let mask = self.mask(cx);
        self.sealed
            .extend_from_slice(&encode_control(ControlFrame::Close(Some(&frame)), mask));
        self.said_goodbye = true;
        self.closed = true;
        true
    }

    fn write(&mut self, socket: Socket, cx: &mut Context<'_>) -> Result<usize, Broken> {
        let written = cx.network.write(socket, &self.sealed[self.sent..], cx.now, cx.rng)?;
        self.sent += written;
        Ok(written)
    }

    /// Writes until there is nothing more or the connection takes no more. True: the close frame went out.
    pub(crate) fn flush(&mut self, socket: Socket, cx: &mut Context<'_>) -> Result<bool, Broken> {
        loop {
            if !self.has_sealed() && !self.seal_next(cx) {
                return Ok(self.said_goodbye);
            }
            if self.write(socket, cx)? == 0 {
                return Ok(false);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty() && !self.has_sealed()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(crate) fn close(&mut self, frame: CloseFrame) {
        if self.closing.is_none() && !self.closed {
            self.closing = Some(frame);
        }
    }

    /// Drops what nobody will read, and lets only the close frame follow.
    pub(crate) fn abandon(&mut self, frame: CloseFrame) {
        self.closed = true;
        self.batch.clear();
        if !self.said_goodbye {
            self.closing = Some(frame);
        }
    }
}
