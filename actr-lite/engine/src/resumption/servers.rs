use std::{collections::VecDeque, time::Duration};

use actr_lite_wire::identity::ActrId;

use super::{event::Failure, limits::ASK_TIMEOUT};

/// The servers that may be asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Servers {
    /// Those that the registry named last.
    pub(super) known: Vec<ActrId>,
    /// The one that failed last.
    pub(super) failed: Option<ActrId>,
}

impl Servers {
    /// All of them in turn, the one that failed last behind the others.
    pub(super) fn round<E>(&self) -> Round<E> {
        let (left_out, asked) = self
            .known
            .iter()
            .cloned()
            .partition(|server| Some(server) == self.failed.as_ref());
        Round {
            asked,
            left_out,
            transient: None,
            refusal: None,
        }
    }
}

/// One try: each server is asked once.
#[derive(Debug, Clone)]
pub(super) struct Round<E> {
    asked: VecDeque<ActrId>,
    /// Asked only if none of the others will ever take the stream.
    left_out: VecDeque<ActrId>,
    transient: Option<E>,
    refusal: Option<E>,
}

/// What came of a try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<E> {
    /// Another one may succeed; why this one did not, if somebody was asked.
    TryAgain(Option<E>),
    /// No server will ever take the stream.
    Refused(E),
}

impl<E> Round<E> {
    /// Whom to ask next, and how long that may take: a server that does not answer leaves time for the next ones.
    pub(super) fn next(&mut self, left: Duration) -> Option<(ActrId, Duration)> {
        if self.asked.is_empty() && self.transient.is_none() {
            self.asked.append(&mut self.left_out);
        }
        let remaining = u32::try_from(self.asked.len()).unwrap_or(u32::MAX);
        let share = left.checked_div(remaining)?.min(ASK_TIMEOUT);
        if share.is_zero() {
            return None;
        }
        Some((self.asked.pop_front()?, share))
    }

    /// The server that was asked did not take the stream.
    pub(super) fn failed(&mut self, failure: Failure, error: E) {
        match failure {
            Failure::Transient => self.transient = Some(error),
            Failure::Refused | Failure::Final => self.refusal = Some(error),
        }
    }

    pub(super) fn verdict(self) -> Verdict<E> {
        match (self.transient, self.refusal) {
            (None, Some(error)) => Verdict::Refused(error),
            (transient, _) => Verdict::TryAgain(transient),
        }
    }
}
