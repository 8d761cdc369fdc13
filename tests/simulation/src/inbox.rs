use std::{collections::VecDeque, time::Duration};

use actr_lite_wire::{
    control::Control,
    credit::{INITIAL_WINDOW, MAX_WINDOW, ReceiveWindow},
    frame::{self, FrameDecoder},
    identity::{ActrId, StreamId},
    record,
};
use bytes::Bytes;

use crate::{context::Context, network::ConnectionId};

/// How much of a stream waits when its sender knows no credit, before the connection is not read any more. The node
/// has a mebibyte; here it is less, so that short streams meet it.
const MAX_WAITING_WITHOUT_CREDIT: usize = 64 << 10;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    Finished,
    Failed,
    PeerGone,
    /// A frame is missing.
    Gap,
}

/// What became of records that were put into an inbox.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Taken,
    Full,
    Ended,
}

/// The frames of one try that came and were not taken yet: as the node's inbox and subscription together.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) stream_id: StreamId,
    runs: VecDeque<Bytes>,
    waiting: usize,
    longest: usize,
    window: ReceiveWindow,
    /// The connection that feeds it.
    pub(crate) source: Option<ConnectionId>,
    pub(crate) expected: ActrId,
    pub(crate) end: Option<StreamEnd>,
    decoder: FrameDecoder,
    /// The run that is being taken, and how far.
    run: Bytes,
    at: usize,
}

/// Credit to send to a stream's sender: over which connection, and how many bytes.
pub(crate) struct Grant {
    pub(crate) connection: ConnectionId,
    pub(crate) control: Control,
}

impl Inbox {
    pub(crate) fn new(stream_id: StreamId, expected: ActrId) -> Self {
        Self {
            decoder: FrameDecoder::new(&stream_id),
            stream_id,
            runs: VecDeque::new(),
            waiting: 0,
            longest: 0,
            window: ReceiveWindow::default(),
            source: None,
            expected,
            end: None,
            run: Bytes::new(),
            at: 0,
        }
    }

    /// Lets this connection feed it.
    pub(crate) fn bind(&mut self, connection: ConnectionId, peer: &ActrId) -> bool {
        if self.end.is_some() || self.expected != *peer {
            return false;
        }
        *self.source.get_or_insert(connection) == connection
    }

    pub(crate) fn push(&mut self, run: Bytes, last_len: usize, has_credit: bool, cx: &mut Context<'_>) -> Pushed {
        if self.end.is_some() {
            return Pushed::Ended;
        }
        let len = run.len();
        if has_credit && let Err(error) = self.window.receive(len as u64, last_len as u64) {
            cx.fail(format!("{}: {error}", self.stream_id));
            return Pushed::Ended;
        }
        self.waiting += len;
        self.longest = self.longest.max(last_len);
        self.runs.push_back(run);
        let bound = if has_credit {
            (INITIAL_WINDOW + self.window.grown()).min(MAX_WINDOW) as usize + self.longest
        } else {
            MAX_WAITING_WITHOUT_CREDIT + self.longest
        };
        cx.check(self.waiting <= bound, || {
            format!("{}: {} bytes wait, more than {bound}", self.stream_id, self.waiting)
        });
        if !has_credit && self.waiting >= MAX_WAITING_WITHOUT_CREDIT {
            return Pushed::Full;
        }
        Pushed::Taken
    }

    pub(crate) fn has_room(&self) -> bool {
        self.end.is_some() || self.waiting < MAX_WAITING_WITHOUT_CREDIT
    }

    /// The next frame: its number and payload. None: nothing waits.
    pub(crate) fn take(
        &mut self,
        has_credit: bool,
        growth: &mut u64,
        grants: &mut Vec<Grant>,
        now: Duration,
    ) -> Result<Option<(u64, Bytes)>, String> {
        while self.at == self.run.len() {
            let taken = std::mem::take(&mut self.run).len();
            self.at = 0;
            self.give_back(taken, has_credit, growth, grants, now);
            let Some(run) = self.runs.pop_front() else {
                return Ok(None);
            };
            self.run = run;
        }
        let Some((body, end)) = record::body_at(&self.run, self.at) else {
            return Err("a run is not made of whole records".into());
        };
        let (sequence, payload) = match self.decoder.decode_plain(body) {
            Some(plain) => plain,
            None => {
                let parts = frame::decode(body).map_err(|error| error.to_string())?;
                (parts.sequence, parts.payload)
            }
        };
        let start = self.at + record::HEADER_LEN;
        let payload = self.run.slice(start + payload.start..start + payload.end);
        self.at = end;
        Ok(Some((sequence, payload)))
    }

    fn give_back(&mut self, taken: usize, has_credit: bool, growth: &mut u64, grants: &mut Vec<Grant>, now: Duration) {
        self.waiting -= taken;
        let Some(connection) = self.source else { return };
        if taken == 0 || self.end.is_some() || !has_credit {
            return;
        }
        if let Some(grant) = self.window.take(taken as u64, *growth, now) {
            *growth -= grant.grown;
            grants.push(Grant {
                connection,
                control: Control::Credit {
                    stream_id: self.stream_id.clone(),
                    bytes: grant.bytes,
                },
            });
        }
    }

    /// Ends it, unless it has ended. What waits is still handed over.
    pub(crate) fn end(&mut self, end: StreamEnd) {
        self.end.get_or_insert(end);
    }

    /// Drops what waits.
    pub(crate) fn abandon(&mut self) {
        self.runs.clear();
        (self.run, self.at, self.waiting) = (Bytes::new(), 0, 0);
    }

    /// Whether all that came was taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.runs.is_empty() && self.at == self.run.len()
    }

    pub(crate) fn grown(&self) -> u64 {
        self.window.grown()
    }
}

/// When a slow taker takes the next frame.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    pub(crate) pause: Duration,
    pub(crate) next_at: Duration,
}
