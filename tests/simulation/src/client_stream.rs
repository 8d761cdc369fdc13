use std::time::Duration;

use actr_lite_wire::{
    identity::ActrId,
    resume::{MAX_WAIT, Resume},
};
use bytes::Bytes;

use crate::{
    context::Context,
    inbox::{Inbox, Pace},
    network::ConnectionId,
    stream_spec::StreamSpec,
};

/// What a stream does now.
#[derive(Debug)]
pub(crate) enum Stage {
    /// The next try is to be planned.
    Idle,
    /// Until the next try.
    Waiting(Duration),
    /// Asks the registry for servers, until then.
    Asking { number: u64, until: Duration },
    /// Makes a connection to the first of these servers, until then.
    Reaching {
        servers: Vec<ActrId>,
        until: Duration,
        has_dialled: bool,
    },
    /// Has asked the first of these servers over this connection, and waits until then.
    Calling {
        servers: Vec<ActrId>,
        until: Duration,
        connection: ConnectionId,
        request_id: String,
    },
    /// The server has agreed.
    Live,
    /// All frames were handed over.
    Complete,
    /// There was no live stream for too long.
    GaveUp,
}

/// How far the search for another server is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Looking {
    Asked { number: u64, until: Duration },
    Waits(Duration),
}

/// A stream that a client wants, from any server, and what its application has seen of it.
#[derive(Debug)]
pub(crate) struct ClientStream {
    pub(crate) spec: StreamSpec,
    pub(crate) resume: Resume,
    /// Which frames are new.
    /// How many frames came again.
    pub(crate) duplicates: u64,
    /// How many times a server has taken over.
    pub(crate) resumes: u64,
    was_live: bool,
    pub(crate) stage: Stage,
    pub(crate) inbox: Option<Inbox>,
    pub(crate) failed: Option<ActrId>,
    /// The servers that the registry named last.
    pub(crate) known: Vec<ActrId>,
    /// While the sender shuts down: the question for another one, or when it is asked next.
    pub(crate) other: Option<Looking>,
    /// When the last frame came.
    pub(crate) completed: Option<Duration>,
    /// The time without a live stream after which it was given up: from, until.
    pub(crate) given_up: Option<(Duration, Duration)>,
    pub(crate) pace: Pace,
    timeout: Duration,
    /// The last frame that the application saw.
    seen: u64,
    /// Beside the resumption: since when there has been no frame; none while a server sends.
    without_since: Option<Duration>,
    /// When a frame was last handed over, or the stream begun.
    pub(crate) progressed: Duration,
}

impl ClientStream {
    pub(crate) fn new(spec: StreamSpec, timeout: Duration, pause: Duration, now: Duration) -> Self {
        Self {
            resume: Resume::new(timeout, now),
            duplicates: 0,
            resumes: 0,
            was_live: false,
            spec,
            stage: Stage::Idle,
            inbox: None,
            failed: None,
            known: Vec::new(),
            other: None,
            completed: None,
            given_up: None,
            pace: Pace { pause, next_at: now },
            timeout,
            seen: 0,
            without_since: Some(now),
            progressed: now,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Complete | Stage::GaveUp)
    }

    /// Whether all frames were handed over.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen == self.spec.frames
    }

    /// A frame came that had come before.
    pub(crate) fn repeated(&mut self, sequence: u64, cx: &mut Context<'_>) {
        self.duplicates += 1;
        cx.check(sequence <= self.seen, || {
            format!("frame {sequence} is dropped, but only {} were seen", self.seen)
        });
    }

    /// The application's view: 1 to N, in order, once each, with the payloads that were sent.
    pub(crate) fn deliver(&mut self, sequence: u64, payload: &Bytes, cx: &mut Context<'_>) {
        let number = self.spec.number;
        cx.check(sequence == self.seen + 1, || {
            format!("stream {number}: frame {sequence} follows frame {}", self.seen)
        });
        cx.check(sequence <= self.spec.frames, || {
            format!("stream {number}: frame {sequence} was never asked for")
        });
        cx.check(*payload == self.spec.payload(sequence), || {
            format!("stream {number}: frame {sequence} has another payload than was sent")
        });
        cx.record("sees frame {} of stream {}", [sequence, number]);
        self.seen = sequence;
        self.progressed = cx.now;
        self.resume.progressed();
        self.without_since = None;
        self.pace.next_at = cx.now + self.pace.pause;
    }

    /// A server has agreed.
    pub(crate) fn live(&mut self, cx: &mut Context<'_>) {
        cx.record("stream {} is live", [self.spec.number, 0]);
        self.resumes += u64::from(std::mem::replace(&mut self.was_live, true));
        self.stage = Stage::Live;
    }

    /// The try has failed, or the live stream is lost.
    pub(crate) fn broke(&mut self, cx: &mut Context<'_>) {
        cx.record("stream {} breaks behind frame {}", [self.spec.number, self.seen]);
        self.resume.broke(cx.now);
        self.without_since.get_or_insert(cx.now);
        self.stage = Stage::Idle;
    }

    /// How long there has been no frame since the last break behind one.
    pub(crate) fn without(&self, now: Duration) -> Duration {
        self.without_since.map_or(Duration::ZERO, |since| now - since)
    }

    /// Checks that it gives up no earlier than it may.
    pub(crate) fn give_up(&mut self, cx: &mut Context<'_>) {
        let without = self.without(cx.now);
        let number = self.spec.number;
        cx.record("stream {} is given up behind frame {}", [number, self.seen]);
        cx.check(without + MAX_WAIT >= self.timeout, || {
            format!("stream {number} is given up after {without:?} without a frame")
        });
        self.given_up = Some((cx.now.saturating_sub(without), cx.now));
        self.stage = Stage::GaveUp;
        self.inbox = None;
    }

    pub(crate) fn complete(&mut self, cx: &mut Context<'_>) {
        let (number, frames) = (self.spec.number, self.spec.frames);
        cx.record("stream {} is complete with {} frames", [number, frames]);
        cx.check(self.seen == frames, || {
            format!(
                "stream {number} counts as complete with {} of {frames} frames",
                self.seen
            )
        });
        self.stage = Stage::Complete;
        self.inbox = None;
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}
