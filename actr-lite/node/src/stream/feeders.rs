use std::sync::atomic::{AtomicU64, Ordering};

use actr_lite_wire::identity::ActrId;

/// Counts what a node asks of others and what it gets ready for their streams, so that of any two it is known which
/// came first.
#[derive(Debug, Default)]
pub(crate) struct Asks(AtomicU64);

/// A moment of [`Asks`]. The default one is before all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asked(u64);

impl Asks {
    /// The next moment: a later one than all before.
    pub(crate) fn next(&self) -> Asked {
        Asked(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// When a peer was asked for something last.
#[derive(Debug, Default)]
pub(crate) struct LastAsked(AtomicU64);

impl LastAsked {
    pub(crate) fn set(&self, asked: Asked) {
        self.0.fetch_max(asked.0, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Asked {
        Asked(self.0.load(Ordering::Relaxed))
    }
}

/// Who may feed a stream: whoever it was asked from, and nobody else, whatever they send.
///
/// A request names its stream in the words of its own service, so that the runtime sees only that somebody was asked
/// after the stream was registered. Whoever wants it closer names the one.
#[derive(Debug, Default)]
pub(crate) struct Feeders {
    registered_at: Asked,
    /// Whose call registered it, and by that agreed to take it.
    caller: Option<ActrId>,
    /// The only one, if that was said.
    expected: Option<ActrId>,
}

impl Feeders {
    pub(crate) fn new(registered_at: Asked, caller: Option<ActrId>) -> Self {
        Self {
            registered_at,
            caller,
            expected: None,
        }
    }

    /// From now on only this actor.
    pub(crate) fn expect(&mut self, peer: ActrId) {
        self.expected = Some(peer);
    }

    pub(crate) fn expected(&self) -> Option<&ActrId> {
        self.expected.as_ref()
    }

    /// Whether `peer`, last asked for something at `asked_at`, is one of them.
    pub(crate) fn admit(&self, peer: &ActrId, asked_at: Asked) -> bool {
        match &self.expected {
            Some(expected) => expected == peer,
            None => asked_at > self.registered_at || self.caller.as_ref() == Some(peer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Any".parse().unwrap())
    }

    #[test]
    fn only_who_was_asked_after_the_registration_feeds_a_stream() {
        let (asks, last_asked) = (Asks::default(), LastAsked::default());
        assert!(
            !Feeders::new(asks.next(), None).admit(&actor(1), last_asked.get()),
            "never asked"
        );
        last_asked.set(asks.next());
        let feeders = Feeders::new(asks.next(), None);
        assert!(!feeders.admit(&actor(1), last_asked.get()), "asked before");
        last_asked.set(asks.next());
        assert!(feeders.admit(&actor(1), last_asked.get()));
        assert!(!feeders.admit(&actor(2), Asked::default()), "another one");
    }

    #[test]
    fn who_registers_a_stream_by_a_call_may_feed_it() {
        let asks = Asks::default();
        let feeders = Feeders::new(asks.next(), Some(actor(1)));
        assert!(feeders.admit(&actor(1), Asked::default()));
        assert!(!feeders.admit(&actor(2), Asked::default()));
    }

    #[test]
    fn who_is_expected_is_the_only_one_asked_or_not() {
        let asks = Asks::default();
        let mut feeders = Feeders::new(asks.next(), Some(actor(1)));
        feeders.expect(actor(3));
        assert!(feeders.admit(&actor(3), Asked::default()));
        assert!(!feeders.admit(&actor(1), asks.next()));
        assert!(!feeders.admit(&actor(2), asks.next()));
    }
}
