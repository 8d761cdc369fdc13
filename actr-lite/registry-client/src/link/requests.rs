use std::{collections::BTreeMap, time::Duration};

use actr_lite_wire::{backoff::Backoff, error_code::ErrorCode};

use super::retries::backoff;
use crate::{
    answer::Outcome,
    error::RegistryLinkError,
    refusal_code::{UNAUTHENTICATED, code_of},
    request::Request,
};

/// The most requests that wait at a time: a node asks once for each peer it dials and each unknown key it is shown, so
/// more means that something asks in a loop. A node that leaves says so once, beside them.
const MAX_WAITING_REQUESTS: usize = 256;

/// Requests without an answer, the sent and the unsent in one table: it is the queue to the connection as well, and a
/// connection that is lost hands its requests to the next one.
#[derive(Debug)]
pub(super) struct Requests<W> {
    is_closed: bool,
    last_number: u64,
    waiting: BTreeMap<u64, Waiting<W>>,
}

/// A request, and who waits for its answer.
#[derive(Debug)]
pub(super) struct Waiting<W> {
    pub(super) request: Request,
    pub(super) limit: Duration,
    pub(super) waiter: W,
    until: Duration,
    /// When it is to be sent; none if it was sent over this connection.
    due: Option<Duration>,
    /// It is worth no wait for another connection.
    is_dispensable: bool,
    backoff: Backoff,
}

impl<W> Waiting<W> {
    /// Has it sent again after a pause; whether there is time for it.
    fn postpone(&mut self, now: Duration, jitter: f64) -> bool {
        let due = now + self.backoff.next_wait(jitter);
        let is_in_time = due < self.until;
        if is_in_time {
            self.due = Some(due);
        }
        is_in_time
    }
}

impl<W> Default for Requests<W> {
    fn default() -> Self {
        Self {
            is_closed: false,
            last_number: 0,
            waiting: BTreeMap::new(),
        }
    }
}

impl<W> Requests<W> {
    /// Puts a request into the table, and says under which number. It is there until it is answered or taken back.
    pub(super) fn add(
        &mut self,
        request: Request,
        limit: Duration,
        is_dispensable: bool,
        waiter: W,
        now: Duration,
    ) -> Result<u64, RegistryLinkError> {
        if self.is_closed {
            return Err(RegistryLinkError::Stopped);
        }
        let is_leaving = matches!(request, Request::Unregister { .. });
        if self.waiting.len() >= MAX_WAITING_REQUESTS + usize::from(is_leaving) {
            return Err(RegistryLinkError::TooManyRequests {
                limit: MAX_WAITING_REQUESTS,
            });
        }
        self.last_number += 1;
        let waiting = Waiting {
            request,
            limit,
            waiter,
            until: now + limit,
            due: Some(now),
            is_dispensable,
            backoff: backoff(),
        };
        self.waiting.insert(self.last_number, waiting);
        Ok(self.last_number)
    }

    /// Nobody waits for it any more.
    pub(super) fn take_back(&mut self, number: u64) {
        self.waiting.remove(&number);
    }

    /// One that is to be sent over this connection, which counts it as sent.
    pub(super) fn next_unsent(&mut self, now: Duration) -> Option<(u64, &Request)> {
        let mut waiting = self.waiting.iter_mut();
        let (number, unsent) = waiting.find(|(_, waiting)| waiting.due.is_some_and(|due| now >= due))?;
        unsent.due = None;
        Some((*number, &unsent.request))
    }

    /// A connection was opened: nothing was sent over it yet.
    pub(super) fn start_over(&mut self) {
        for waiting in self.waiting.values_mut() {
            waiting.due.get_or_insert(Duration::ZERO);
        }
    }

    /// The registry has answered: the request that ends so, unless nobody waits for it, or it is asked again a bit later
    /// because it is asked too often, or the node's credential is to be renewed first.
    pub(super) fn answered(
        &mut self,
        number: u64,
        outcome: &Outcome,
        now: Duration,
        jitter: f64,
    ) -> Option<Waiting<W>> {
        let waiting = self.waiting.get_mut(&number)?;
        if is_for_later(outcome) && waiting.postpone(now, jitter) {
            return None;
        }
        self.waiting.remove(&number)
    }

    /// The registry took one of those that were sent for one too many, and does not say which: all that have no answer
    /// by then are asked again.
    pub(super) fn one_was_too_many(&mut self, now: Duration, jitter: f64) {
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.due.is_none()) {
            waiting.postpone(now, jitter);
        }
    }

    /// One whose time is over.
    pub(super) fn expire(&mut self, now: Duration) -> Option<Waiting<W>> {
        self.take(|waiting| now >= waiting.until)
    }

    /// One that is not worth a wait for another connection.
    pub(super) fn dispense(&mut self) -> Option<Waiting<W>> {
        self.take(|waiting| waiting.is_dispensable)
    }

    /// One of those that are left; no more are let in.
    pub(super) fn close(&mut self) -> Option<Waiting<W>> {
        self.is_closed = true;
        self.take(|_| true)
    }

    fn take(&mut self, is_wanted: impl Fn(&Waiting<W>) -> bool) -> Option<Waiting<W>> {
        let (number, _) = self.waiting.iter().find(|(_, waiting)| is_wanted(waiting))?;
        let number = *number;
        self.waiting.remove(&number)
    }

    /// When one is due, as far as `can_send`, or its time is over.
    pub(super) fn wake(&self, can_send: bool) -> Option<Duration> {
        let times = self.waiting.values().flat_map(|waiting| {
            let due = waiting.due.filter(|_| can_send);
            due.into_iter().chain([waiting.until])
        });
        times.min()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// Whether it is a refusal that only holds for now: of a registry that is busy, or of a credential that will be another.
fn is_for_later(outcome: &Outcome) -> bool {
    let code = outcome.as_ref().err().map(|error| code_of(error.code));
    matches!(code, Some(ErrorCode::Unavailable | UNAUTHENTICATED))
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::proto::ErrorResponse;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    fn request(key_id: u32) -> Request {
        Request::SigningKey { key_id }
    }

    fn add(requests: &mut Requests<u32>, key_id: u32) -> u64 {
        requests
            .add(request(key_id), LIMIT, false, key_id, Duration::ZERO)
            .unwrap()
    }

    fn refusal(code: ErrorCode) -> Outcome {
        Err(ErrorResponse {
            code: code.number(),
            message: String::new(),
        })
    }

    fn full() -> Requests<u32> {
        let mut requests = Requests::default();
        for _ in 0..MAX_WAITING_REQUESTS {
            add(&mut requests, 1);
        }
        requests
    }

    #[test]
    fn a_request_that_is_taken_back_is_not_sent() {
        let mut requests = Requests::default();
        let first = add(&mut requests, 1);
        add(&mut requests, 2);
        requests.take_back(first);
        assert_eq!(requests.next_unsent(LIMIT), Some((2, &request(2))));
        assert_eq!(requests.next_unsent(LIMIT), None);
        assert_eq!(requests.len(), 1);
    }

    #[test]
    fn the_table_is_bounded_and_has_room_again_when_a_request_ends() {
        let mut requests = full();
        let limit = MAX_WAITING_REQUESTS;
        let refused = requests.add(request(1), LIMIT, false, 1, Duration::ZERO);
        assert_eq!(refused, Err(RegistryLinkError::TooManyRequests { limit }));
        requests.take_back(7);
        add(&mut requests, 1);
    }

    #[test]
    fn a_node_can_leave_whatever_else_waits() {
        let mut requests = full();
        let leaving = || Request::Unregister { reason: "done".into() };
        requests.add(leaving(), LIMIT, false, 1, Duration::ZERO).unwrap();
        assert!(
            requests.add(leaving(), LIMIT, false, 1, Duration::ZERO).is_err(),
            "once"
        );
    }

    #[test]
    fn a_request_is_sent_once_over_each_connection() {
        let mut requests = Requests::default();
        add(&mut requests, 1);
        assert!(requests.next_unsent(Duration::ZERO).is_some());
        assert!(requests.next_unsent(Duration::ZERO).is_none());
        requests.start_over();
        assert!(requests.next_unsent(Duration::ZERO).is_some());
    }

    #[test]
    fn a_closed_table_ends_its_requests_and_takes_no_more() {
        let mut requests = Requests::default();
        add(&mut requests, 1);
        assert_eq!(requests.close().map(|waiting| waiting.waiter), Some(1));
        assert!(requests.close().is_none());
        let refused = requests.add(request(1), LIMIT, false, 1, Duration::ZERO);
        assert_eq!(refused, Err(RegistryLinkError::Stopped));
    }

    #[test]
    fn an_answer_reaches_the_request_of_its_number() {
        let mut requests = Requests::default();
        add(&mut requests, 1);
        add(&mut requests, 2);
        let refusal = refusal(ErrorCode::NotFound);
        let mut answer = |number| {
            let answered = requests.answered(number, &refusal, Duration::ZERO, 1.0);
            answered.map(|waiting| waiting.waiter)
        };
        assert_eq!(answer(2), Some(2));
        assert_eq!(answer(2), None, "it is answered already");
        assert_eq!(answer(9), None, "nobody asked");
    }

    #[test]
    fn what_is_asked_too_often_is_retried_until_its_time_is_over() {
        let mut requests = Requests::default();
        let number = add(&mut requests, 1);
        let refusal = refusal(ErrorCode::Unavailable);
        let mut tries = 0;
        let mut now = Duration::ZERO;
        loop {
            assert!(requests.next_unsent(now).is_some(), "{now:?}");
            tries += 1;
            match requests.answered(number, &refusal, now, 1.0) {
                Some(waiting) => break assert_eq!(waiting.waiter, 1),
                None => now = requests.wake(true).unwrap(),
            }
            assert!(requests.next_unsent(now - Duration::from_millis(1)).is_none());
        }
        assert!(now < LIMIT && now + Duration::from_secs(1) >= LIMIT, "{now:?}");
        assert!((5..10).contains(&tries), "{tries}");
    }

    #[test]
    fn each_request_has_a_time_after_which_it_ends() {
        let mut requests = Requests::default();
        add(&mut requests, 1);
        requests.next_unsent(Duration::ZERO);
        assert_eq!((requests.wake(true), requests.wake(false)), (Some(LIMIT), Some(LIMIT)));
        assert!(requests.expire(LIMIT - Duration::from_millis(1)).is_none());
        assert_eq!(requests.expire(LIMIT).map(|waiting| waiting.waiter), Some(1));
        assert_eq!(requests.len(), 0);
    }
}
