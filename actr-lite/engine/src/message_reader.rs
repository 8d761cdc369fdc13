//! Takes a peer's messages apart into records, and hands them to the session in an order that keeps every promise.

use std::{mem, str};

use actr_lite_quota::Limit;
use actr_lite_wire::{
    control::Control,
    frame,
    identity::StreamId,
    pace::MAX_BATCH,
    partial_record::PartialRecord,
    record::{self, HEADER_LEN, RecordError, RecordKind, Span},
};
use bytes::Bytes;

use crate::{
    receive_error::ReceiveError,
    runs::{Run, Runs},
};

/// The most records that one message may hold, with those of a record that it completes: all of them are taken in one turn.
/// Twice as many as the longest batch of this project's senders has room for, if they were nothing but headers; a frame
/// has some twenty bytes.
pub const MAX_RECORDS: usize = 2 * MAX_BATCH / HEADER_LEN;

/// What a session does with a peer's records.
pub trait Receive {
    /// Where the frames of a stream go.
    type Inbox;

    /// Where the frames of this stream go; `None` if they are dropped.
    ///
    /// # Errors
    /// When the name can't be a stream's.
    fn route(&mut self, stream_id: &str) -> Result<Option<(StreamId, Self::Inbox)>, ReceiveError>;

    /// Takes the frames of one stream that stand in this message.
    fn deliver(&mut self, message: &Bytes, run: Run<Self::Inbox>);

    /// Takes the body of a call or an answer, which stands in a message of this length.
    ///
    /// # Errors
    /// When it is none.
    fn envelope(&mut self, body: Bytes, message_len: usize) -> Result<(), ReceiveError>;

    /// Takes a control record.
    ///
    /// # Errors
    /// When it breaks the protocol.
    fn control(&mut self, control: Control) -> Result<(), ReceiveError>;

    /// So many bytes are held for a record in parts.
    ///
    /// # Errors
    /// When the peer may not make this node hold them.
    fn hold_partial(&mut self, len: usize) -> Result<(), Limit>;

    /// So many bytes have come of a record in parts; none: it is whole.
    fn partial_came(&mut self, len: usize);
}

/// Takes messages apart.
///
/// Frames that stand in one message are gathered by stream; what is no frame comes behind all frames before it.
#[derive(Debug)]
pub struct MessageReader<Inbox> {
    is_extended: bool,
    max_record_len: usize,
    /// The frames that were found and not handed over yet: none between two messages.
    runs: Runs<Inbox>,
    /// The long record that comes in parts.
    partial: PartialRecord,
    whole_records: u64,
    /// How many records of this message were taken.
    records: usize,
}

impl<Inbox> MessageReader<Inbox> {
    /// For a peer with which the extension was agreed on or not, and for records up to this length.
    pub fn new(is_extended: bool, max_record_len: usize) -> Self {
        Self {
            is_extended,
            max_record_len,
            runs: Runs::default(),
            partial: PartialRecord::default(),
            whole_records: 0,
            records: 0,
        }
    }

    /// How much has come of a record in parts that is not whole yet.
    pub fn partial_len(&self) -> usize {
        self.partial.len()
    }

    /// How many records in parts were whole.
    pub fn whole_records(&self) -> u64 {
        self.whole_records
    }

    /// Takes one message's records.
    ///
    /// # Errors
    /// When the peer broke the protocol: the connection has to be closed. Records before that were handed over.
    pub fn read<R>(&mut self, message: &Bytes, receiver: &mut R) -> Result<(), ReceiveError>
    where
        R: Receive<Inbox = Inbox>,
    {
        self.records = 0;
        self.read_all(message, receiver)
    }

    fn read_all<R>(&mut self, message: &Bytes, receiver: &mut R) -> Result<(), ReceiveError>
    where
        R: Receive<Inbox = Inbox>,
    {
        let read = self.read_records(message, receiver);
        self.hand_over(message, receiver);
        read
    }

    fn read_records<R>(&mut self, message: &Bytes, receiver: &mut R) -> Result<(), ReceiveError>
    where
        R: Receive<Inbox = Inbox>,
    {
        let mut at = 0;
        while at < message.len() {
            let span = self.span_at(message, at)?;
            at = span.end;
            if self.records == MAX_RECORDS {
                return Err(ReceiveError::TooMany { limit: MAX_RECORDS });
            }
            self.records += 1;
            if !self.is_extended && at < message.len() {
                return Err(ReceiveError::Batch);
            }
            match span.kind {
                RecordKind::StreamReliable | RecordKind::StreamLatencyFirst => self.frame(message, span, receiver)?,
                _ => {
                    self.hand_over(message, receiver);
                    self.record(message, span, receiver)?;
                }
            }
        }
        Ok(())
    }

    fn span_at(&self, message: &Bytes, at: usize) -> Result<Span, ReceiveError> {
        let limit = self.max_record_len;
        let span = match record::span_at(message, at) {
            // A length that lies is reported as if it were true.
            Err(RecordError::Cut { wanted: len, .. }) if len > limit => {
                return Err(ReceiveError::TooLong { len, limit });
            }
            span => span?,
        };
        let len = span.len() - HEADER_LEN;
        if len > limit {
            return Err(ReceiveError::TooLong { len, limit });
        }
        Ok(span)
    }

    /// Adds a frame to the run of its stream.
    fn frame<R>(&mut self, message: &Bytes, span: Span, receiver: &mut R) -> Result<(), ReceiveError>
    where
        R: Receive<Inbox = Inbox>,
    {
        let stream_id = frame::stream_id_of(&message[span.body_start()..span.end])?;
        if self.runs.extend(stream_id, message, span) {
            return Ok(());
        }
        if self.runs.is_full() {
            self.hand_over(message, receiver);
        }
        let text = str::from_utf8(stream_id).map_err(|_| ReceiveError::StreamId)?;
        if let Some((stream_id, inbox)) = receiver.route(text)? {
            self.runs.start(stream_id, inbox, span);
        }
        Ok(())
    }

    fn record<R>(&mut self, message: &Bytes, span: Span, receiver: &mut R) -> Result<(), ReceiveError>
    where
        R: Receive<Inbox = Inbox>,
    {
        let body = message.slice(span.body_start()..span.end);
        match span.kind {
            RecordKind::RpcReliable | RecordKind::RpcSignal => receiver.envelope(body, message.len()),
            kind if !self.is_extended => Err(ReceiveError::NotExtended(kind)),
            RecordKind::Part => self.part(&body, receiver),
            kind => receiver.control(Control::decode(kind, body)?),
        }
    }

    fn part<R>(&mut self, part: &[u8], receiver: &mut R) -> Result<(), ReceiveError>
    where
        R: Receive<Inbox = Inbox>,
    {
        // Its buffer grows to twice what it holds.
        let held = 2 * (self.partial.len() + part.len());
        receiver.hold_partial(held).map_err(ReceiveError::OverShare)?;
        let whole = self.partial.push(part, self.max_record_len)?;
        receiver.partial_came(self.partial.len());
        let Some(record) = whole else {
            return Ok(());
        };
        self.whole_records += 1;
        // It goes no deeper: a part in parts is refused.
        self.read_all(&record, receiver)
    }

    /// Hands over the frames that were gathered.
    fn hand_over<R>(&mut self, message: &Bytes, receiver: &mut R)
    where
        R: Receive<Inbox = Inbox>,
    {
        let mut runs = mem::take(&mut self.runs);
        for run in runs.drain() {
            receiver.deliver(message, run);
        }
        self.runs = runs;
    }
}

#[cfg(test)]
mod tests;
