use std::time::Duration;

use actr_lite_engine::{
    resumption::{Broken, Limits, Resumption},
    retry::MAX_WAIT,
};
use bytes::Bytes;

use crate::{
    context::Context,
    exchange::{ExchangeId, Reaching},
    inbox::{Inbox, Pace, StreamEnd},
    stream_spec::StreamSpec,
};

/// What a stream waits for: a server's answer, or the registry's.
#[derive(Debug)]
pub(crate) enum Question {
    /// The registry is to name servers.
    Discover { number: u64, until: Duration },
    /// A connection to another server is made.
    Connect(Reaching),
    /// A server is asked.
    Call(ExchangeId),
}

/// How a stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All frames were handed over.
    Complete,
    /// There was no frame for too long: from, until.
    GivenUp(Duration, Duration),
}

/// A stream that a client wants, from any server, and what its application has seen of it.
#[derive(Debug)]
pub(crate) struct ClientStream {
    pub(crate) spec: StreamSpec,
    pub(crate) resumption: Resumption<StreamEnd, &'static str>,
    /// How many frames came again.
    pub(crate) duplicates: u64,
    /// How many times a server has taken over.
    pub(crate) resumes: u64,
    has_begun: bool,
    pub(crate) question: Option<Question>,
    /// When the resumption wants its turn.
    pub(crate) wake: Option<Duration>,
    pub(crate) inbox: Option<Inbox>,
    /// The end of the present inbox was passed on.
    pub(crate) has_ended: bool,
    pub(crate) outcome: Option<Outcome>,
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
    pub(crate) fn new(spec: StreamSpec, limits: Limits, pause: Duration, now: Duration) -> Self {
        Self {
            resumption: Resumption::new(limits, Some(spec.frames), now),
            duplicates: 0,
            resumes: 0,
            has_begun: false,
            spec,
            question: None,
            wake: None,
            inbox: None,
            has_ended: false,
            outcome: None,
            pace: Pace { pause, next_at: now },
            timeout: limits.timeout,
            seen: 0,
            without_since: Some(now),
            progressed: now,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.outcome.is_some()
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

    /// The application's view: 1 to N, in order, once each, with the payloads that were sent. Of a latency-first stream some
    /// may be missing.
    pub(crate) fn deliver(&mut self, sequence: u64, payload: &Bytes, cx: &mut Context<'_>) {
        let number = self.spec.number;
        let is_in_order = match self.spec.is_latency_first {
            true => sequence > self.seen,
            false => sequence == self.seen + 1,
        };
        cx.check(is_in_order, || {
            format!("stream {number}: frame {sequence} follows frame {}", self.seen)
        });
        cx.check(sequence <= self.spec.frames, || {
            format!("stream {number}: frame {sequence} was never asked for")
        });
        cx.check(*payload == self.spec.payload(sequence), || {
            format!("stream {number}: frame {sequence} has another payload than was sent")
        });
        cx.record("sees frame {} of stream {}", [sequence, number]);
        if sequence > self.seen + 1 {
            cx.record("misses {} frames of stream {}", [sequence - self.seen - 1, number]);
        }
        self.seen = sequence;
        self.progressed = cx.now;
        self.without_since = None;
        self.pace.next_at = cx.now + self.pace.pause;
    }

    /// A server has agreed.
    pub(crate) fn live(&mut self, cx: &mut Context<'_>) {
        cx.record("stream {} is live", [self.spec.number, 0]);
        self.resumes += u64::from(std::mem::replace(&mut self.has_begun, true));
    }

    /// A server is given up.
    pub(crate) fn released(&mut self, now: Duration) {
        if !self.is_complete() {
            self.without_since.get_or_insert(now);
        }
    }

    pub(crate) fn broke(&mut self, broken: &Broken<StreamEnd>, cx: &mut Context<'_>) {
        cx.record("stream {} breaks behind frame {}", [self.spec.number, self.seen]);
        let what = match broken {
            Broken::Ended(_) => return,
            Broken::Leaving(_) => "moves stream {} on",
            Broken::Silent { .. } => "hears nothing of stream {}",
            Broken::Idle { .. } => "hears nothing more of stream {}",
        };
        cx.record(what, [self.spec.number, 0]);
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
        self.outcome = Some(Outcome::GivenUp(cx.now.saturating_sub(without), cx.now));
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
        self.outcome = Some(Outcome::Complete);
    }

    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}
