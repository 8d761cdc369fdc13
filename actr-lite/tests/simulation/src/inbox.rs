use std::{sync::Arc, time::Duration};

use actr_lite_engine::{
    frame_reader::{FrameReader, ReadError, Step},
    inbox::{Inbox as Waiting, Next, Pushed},
    runs::Run,
};
use actr_lite_quota::{Permit, Quota};
use actr_lite_wire::{
    control::Control,
    credit::{INITIAL_WINDOW, MAX_WINDOW},
    frame::DataStream,
    identity::{ActrId, StreamId},
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

/// The receiving end of one try for a stream.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) stream_id: StreamId,
    waiting: Waiting<StreamEnd>,
    reader: FrameReader,
    /// The connection that feeds it.
    pub(crate) source: Option<ConnectionId>,
    pub(crate) expected: ActrId,
    /// The longest record so far.
    longest: usize,
    /// All that came was taken.
    is_drained: bool,
    /// For what the window has grown, as long as so much may come or wait.
    grown: Option<Permit>,
}

/// What an inbox had for the application.
#[derive(Debug)]
pub(crate) enum Taken {
    Frame(DataStream),
    /// A frame of this number that came before.
    Duplicate(u64),
    /// A frame is missing.
    Gap,
    Nothing,
}

/// Credit to send to a stream's sender: over which connection, and how many bytes.
pub(crate) struct Grant {
    pub(crate) connection: ConnectionId,
    pub(crate) control: Control,
}

impl Inbox {
    /// For a stream of which the frames up to the number `last` were seen.
    pub(crate) fn new(stream_id: StreamId, expected: ActrId, last: u64) -> Self {
        Self {
            waiting: Waiting::new(MAX_WAITING_WITHOUT_CREDIT),
            reader: FrameReader::behind(stream_id.clone(), last),
            stream_id,
            source: None,
            expected,
            longest: 0,
            is_drained: true,
            grown: None,
        }
    }

    /// Lets this connection feed it.
    pub(crate) fn bind(&mut self, connection: ConnectionId, peer: &ActrId) -> bool {
        if self.ended().is_some() || self.expected != *peer {
            return false;
        }
        *self.source.get_or_insert(connection) == connection
    }

    pub(crate) fn push(&mut self, message: &Bytes, mut run: Run<()>, has_credit: bool, cx: &mut Context<'_>) -> Pushed {
        let (records, range) = run.records(message);
        self.is_drained = false;
        self.longest = self.longest.max(run.last_len);
        let pushed = self.waiting.push(&records, range, run.last_len, has_credit);
        let bound = if has_credit {
            (INITIAL_WINDOW + self.grown()).min(MAX_WINDOW) as usize + self.longest
        } else {
            MAX_WAITING_WITHOUT_CREDIT + self.longest
        };
        let waiting = self.waiting.waiting();
        cx.check(waiting <= bound, || {
            format!("{}: {waiting} bytes wait, more than {bound}", self.stream_id)
        });
        pushed.unwrap_or_else(|error| {
            cx.fail(format!("{}: {error}", self.stream_id));
            Pushed::Ended
        })
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting.has_room()
    }

    /// The next frame.
    pub(crate) fn take(
        &mut self,
        growth: Option<&Arc<Quota>>,
        grants: &mut Vec<Grant>,
        now: Duration,
    ) -> Result<Taken, ReadError> {
        loop {
            match self.reader.step()? {
                Step::Frame(frame) => return Ok(Taken::Frame(frame)),
                Step::Duplicate(number) => return Ok(Taken::Duplicate(number)),
                Step::Gap { .. } => return Ok(Taken::Gap),
                Step::Read(len) => {
                    self.give_back(len, growth, grants, now);
                    let Next::Run(run) = self.waiting.take() else {
                        self.is_drained = true;
                        self.release_growth();
                        return Ok(Taken::Nothing);
                    };
                    self.reader.put(run);
                }
            }
        }
    }

    fn give_back(&mut self, len: usize, growth: Option<&Arc<Quota>>, grants: &mut Vec<Grant>, now: Duration) {
        let may_grant = self.waiting.hand_over(len);
        let (Some(growth), Some(connection)) = (growth.filter(|_| may_grant), self.source) else {
            return;
        };
        let grown = &mut self.grown;
        let grow = |wanted: u64| {
            let held = match grown {
                Some(grown) => grown.resize(grown.amount() + wanted as usize),
                None => growth.take(wanted as usize).map(|permit| *grown = Some(permit)),
            };
            held.map_or(0, |()| wanted)
        };
        if let Some(bytes) = self.waiting.grant(len, grow, now) {
            grants.push(Grant {
                connection,
                control: Control::Credit {
                    stream_id: self.stream_id.clone(),
                    bytes,
                },
            });
        }
    }

    /// Ends it, unless it has ended. What waits is still handed over.
    pub(crate) fn end(&mut self, end: StreamEnd) {
        self.waiting.end(end);
        self.release_growth();
    }

    /// If no more comes, what waits is all that has to be held.
    fn release_growth(&mut self) {
        if self.ended().is_some() && self.waiting.is_drained() {
            self.grown = None;
        }
    }

    pub(crate) fn ended(&self) -> Option<StreamEnd> {
        self.waiting.ended().copied()
    }

    /// Drops what waits.
    pub(crate) fn abandon(&mut self) {
        self.waiting.discard();
        self.reader.discard();
        self.is_drained = true;
        self.release_growth();
    }

    /// Whether all that came was taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_drained
    }

    fn grown(&self) -> u64 {
        self.waiting.grown()
    }
}

/// When a slow taker takes the next frame.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    pub(crate) pause: Duration,
    pub(crate) next_at: Duration,
}
