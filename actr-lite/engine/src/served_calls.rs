//! The calls of a peer that are being served.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use actr_lite_wire::peer_text::RawText;

/// How many requests of a peer without the extension are remembered when they are done: it may send the first ones again
/// that it makes over a connection.
const MAX_REMEMBERED: usize = 64;

/// The calls of a peer that are being served, by request id, and the last ones that were. `Task` is what serves one.
///
/// A peer that does not speak the extension may send a request twice, and is to get one answer.
#[derive(Debug)]
pub struct ServedCalls<Task, Hasher = RandomState> {
    remembers: bool,
    serving: HashMap<Arc<RawText>, Task>,
    /// The oldest first, as digests, since an id may be as long as a record.
    done: VecDeque<u64>,
    /// No peer can choose ids of the same digest.
    digests: Hasher,
}

impl<Task, Hasher: BuildHasher> ServedCalls<Task, Hasher> {
    /// Of a peer that speaks the extension or not. The hasher should not be one that a peer can know.
    pub fn new(is_extended: bool, digests: Hasher) -> Self {
        Self {
            remembers: !is_extended,
            serving: HashMap::new(),
            done: VecDeque::new(),
            digests,
        }
    }

    /// Whether this request has come before: it is not to be served again.
    pub fn is_known(&self, request_id: &RawText) -> bool {
        self.serving.contains_key(request_id)
            || (self.remembers && self.done.contains(&self.digests.hash_one(request_id)))
    }

    /// A request is served from now on.
    pub fn begin(&mut self, request_id: Arc<RawText>, task: Task) {
        self.serving.insert(request_id, task);
    }

    /// What serves this request; `None` if it is not being served.
    pub fn find(&self, request_id: &RawText) -> Option<&Task> {
        self.serving.get(request_id)
    }

    /// It was served, or given up.
    pub fn finish(&mut self, request_id: &RawText) -> Option<Task> {
        let task = self.serving.remove(request_id)?;
        if self.remembers {
            if self.done.len() == MAX_REMEMBERED {
                self.done.pop_front();
            }
            self.done.push_back(self.digests.hash_one(request_id));
        }
        Some(task)
    }

    /// What is being served.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.serving.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RawText {
        text.into()
    }

    #[test]
    fn a_request_that_comes_twice_is_served_once() {
        let mut calls = ServedCalls::new(false, RandomState::new());
        assert!(!calls.is_known(&id("a")));
        calls.begin(id("a").into(), 1);
        assert!(calls.is_known(&id("a")), "while it is served");
        assert_eq!(calls.find(&id("a")), Some(&1));
        assert_eq!(calls.tasks().collect::<Vec<_>>(), [&1]);
        assert_eq!(calls.finish(&id("a")), Some(1));
        assert!(calls.is_known(&id("a")), "and when it was");
        assert_eq!(calls.find(&id("a")), None);
        assert_eq!(calls.finish(&id("a")), None);
    }

    #[test]
    fn a_peer_with_the_extension_repeats_nothing() {
        let mut calls = ServedCalls::new(true, RandomState::new());
        calls.begin(id("a").into(), ());
        assert!(
            calls.is_known(&id("a")),
            "two requests of one id would get each other's answers"
        );
        calls.finish(&id("a"));
        assert!(!calls.is_known(&id("a")));
    }

    #[test]
    fn the_requests_that_are_remembered_are_bounded() {
        let mut calls = ServedCalls::new(false, RandomState::new());
        for number in 0..=MAX_REMEMBERED {
            calls.begin(id(&number.to_string()).into(), ());
            calls.finish(&id(&number.to_string()));
        }
        assert!(
            !calls.is_known(&id("0")) && calls.is_known(&id("1")),
            "the oldest is forgotten"
        );
        assert_eq!((calls.done.len(), calls.tasks().count()), (MAX_REMEMBERED, 0));
    }
}
