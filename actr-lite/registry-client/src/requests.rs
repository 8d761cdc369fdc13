use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actr_lite_wire::proto::{ErrorResponse, signaling_to_actr::Payload};
use tokio::sync::{Notify, oneshot};

use crate::{error::RegistryLinkError, request::Request};

/// The most requests that wait at a time: a node asks once for each peer it dials and each unknown key it is shown, so
/// more means that something asks in a loop. A node that leaves says so once, beside them.
pub(crate) const MAX_WAITING_REQUESTS: usize = 256;

/// What the registry answered.
pub(crate) type Answer = Result<Payload, ErrorResponse>;

/// Requests without an answer, the sent and the unsent in one table: it is the queue to the connection as well, and a
/// connection that is lost hands its requests to the next one.
#[derive(Default)]
pub(crate) struct Requests {
    table: Mutex<Table>,
    added: Notify,
}

#[derive(Default)]
struct Table {
    closed: bool,
    last_number: u64,
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    request: Request,
    sent: bool,
    answer: oneshot::Sender<Answer>,
}

impl Requests {
    /// Puts a request into the table. It is there until it is answered or the returned guard is dropped.
    pub(crate) fn add(self: &Arc<Self>, request: Request) -> Result<WaitingRequest, RegistryLinkError> {
        let (sender, answer) = oneshot::channel();
        let mut table = self.table();
        if table.closed {
            return Err(RegistryLinkError::Stopped);
        }
        let is_leaving = matches!(request, Request::Unregister { .. });
        if table.waiting.len() >= MAX_WAITING_REQUESTS + usize::from(is_leaving) {
            return Err(RegistryLinkError::TooManyRequests {
                limit: MAX_WAITING_REQUESTS,
            });
        }
        table.last_number += 1;
        let number = table.last_number;
        let guard = Entry {
            requests: self.clone(),
            number,
        };
        let waiting = Waiting {
            request,
            sent: false,
            answer: sender,
        };
        table.waiting.insert(number, waiting);
        drop(table);
        self.added.notify_one();
        Ok(WaitingRequest { answer, _entry: guard })
    }

    /// Completes when requests may have been added since the last call. There is one caller at a time.
    pub(crate) async fn added(&self) {
        self.added.notified().await;
    }

    /// All that were not sent over this connection, which counts them as sent.
    pub(crate) fn take_unsent(&self) -> Vec<(u64, Request)> {
        let mut table = self.table();
        let unsent = table.waiting.iter_mut().filter(|(_, waiting)| !waiting.sent);
        unsent
            .map(|(number, waiting)| {
                waiting.sent = true;
                (*number, waiting.request.clone())
            })
            .collect()
    }

    /// A connection was opened: nothing was sent over it yet.
    pub(crate) fn start_over(&self) {
        for waiting in self.table().waiting.values_mut() {
            waiting.sent = false;
        }
    }

    /// Hands over an answer, and says whether somebody waited for it.
    pub(crate) fn answer(&self, number: u64, answer: Answer) -> bool {
        let waiting = self.table().waiting.remove(&number);
        waiting.is_some_and(|waiting| waiting.answer.send(answer).is_ok())
    }

    /// Ends all requests, and lets no more in.
    pub(crate) fn close(&self) {
        let mut table = self.table();
        table.closed = true;
        table.waiting.clear();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code panics while it holds the lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table().waiting.len()
    }
}

/// A request in the table. Dropping it takes the request out.
pub(crate) struct WaitingRequest {
    answer: oneshot::Receiver<Answer>,
    _entry: Entry,
}

impl WaitingRequest {
    /// The answer, or `None` when the table was closed. Dropping the future takes the request out of the table.
    pub(crate) async fn answer(mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

struct Entry {
    requests: Arc<Requests>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.requests.table().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(key_id: u32) -> Request {
        Request::SigningKey { key_id }
    }

    #[test]
    fn a_dropped_request_leaves_the_table() {
        let requests = Arc::new(Requests::default());
        let first = requests.add(request(1)).unwrap();
        let second = requests.add(request(2)).unwrap();
        drop(first);
        assert_eq!(requests.take_unsent(), [(2, request(2))]);
        drop(second.answer());
        assert_eq!(requests.len(), 0);
    }

    #[test]
    fn the_table_is_bounded_and_has_room_again_when_a_request_ends() {
        let requests = Arc::new(Requests::default());
        let mut waiting: Vec<_> = (0..MAX_WAITING_REQUESTS)
            .map(|_| requests.add(request(1)).unwrap())
            .collect();
        assert_eq!(
            requests.add(request(1)).err(),
            Some(RegistryLinkError::TooManyRequests {
                limit: MAX_WAITING_REQUESTS,
            })
        );
        waiting.pop();
        assert!(requests.add(request(1)).is_ok());
    }

    #[test]
    fn a_node_can_leave_whatever_else_waits() {
        let requests = Arc::new(Requests::default());
        let _waiting: Vec<_> = (0..MAX_WAITING_REQUESTS)
            .map(|_| requests.add(request(1)).unwrap())
            .collect();
        let leaving = || Request::Unregister { reason: "done".into() };
        let _leaving = requests.add(leaving()).unwrap();
        assert!(requests.add(leaving()).is_err(), "once");
    }

    #[test]
    fn a_request_is_sent_once_over_each_connection() {
        let requests = Arc::new(Requests::default());
        let _waiting = requests.add(request(1)).unwrap();
        assert_eq!(requests.take_unsent().len(), 1);
        assert_eq!(requests.take_unsent().len(), 0);
        requests.start_over();
        assert_eq!(requests.take_unsent().len(), 1);
    }

    #[tokio::test]
    async fn a_closed_table_ends_its_requests_and_takes_no_more() {
        let requests = Arc::new(Requests::default());
        let waiting = requests.add(request(1)).unwrap();
        requests.close();
        assert_eq!(waiting.answer().await, None);
        assert_eq!(requests.add(request(1)).err(), Some(RegistryLinkError::Stopped));
    }

    #[tokio::test]
    async fn an_answer_reaches_the_request_of_its_number() {
        let requests = Arc::new(Requests::default());
        let _first = requests.add(request(1)).unwrap();
        let second = requests.add(request(2)).unwrap();
        let refusal = ErrorResponse {
            code: 1,
            message: String::new(),
        };
        assert!(requests.answer(2, Err(refusal.clone())));
        assert!(!requests.answer(2, Err(refusal.clone())), "it is answered already");
        assert!(!requests.answer(9, Err(refusal.clone())), "nobody asked");
        assert_eq!(second.answer().await, Some(Err(refusal)));
    }
}
