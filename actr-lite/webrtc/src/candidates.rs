//! The peer's addresses: they may come before the offer or answer that they belong to.

use std::{collections::VecDeque, net::SocketAddr};

use str0m::{Candidate, CandidateKind};

use crate::signal::generation;

/// How many addresses wait for their offer or answer: a host with many interfaces has some ten.
const MAX_WAITING: usize = 64;

/// How many of the peer's addresses are known as a relay's: it has one at each of its relays.
const MAX_RELAYED: usize = 16;

/// How many addresses of one generation a session takes: each is kept, whether or not there is a way to it. A host with many
/// interfaces has some ten, and each may be told twice.
const MAX_TAKEN: usize = 256;

/// The peer's addresses that the session does not know yet.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    waiting: VecDeque<(Candidate, Option<String>)>,
    /// How many the session has.
    taken: usize,
    /// Which generation the session is at; none before the peer's description.
    generation: Option<String>,
    /// Those at relays, also of generations before.
    relayed: VecDeque<SocketAddr>,
}

impl Candidates {
    /// A session begins; the peer's description is still to come.
    pub(crate) fn begin(&mut self) {
        (self.generation, self.taken) = (None, 0);
    }

    /// The session goes on with this description of the peer's.
    ///
    /// # Errors
    /// When the peer has told more addresses than a session takes.
    pub(crate) fn describe(&mut self, sdp: &str) -> Result<(), String> {
        let generation = generation(sdp);
        if self.generation.as_deref() != generation {
            (self.generation, self.taken) = (generation.map(str::to_owned), 0);
        }
        for told in sdp.lines().filter(|line| line.starts_with("a=candidate:")) {
            self.taken += 1;
            if let Ok(candidate) = Candidate::from_sdp_string(&told["a=".len()..]) {
                self.note(&candidate);
            }
        }
        match self.taken {
            ..=MAX_TAKEN => Ok(()),
            _ => Err(format!("it has told more than {MAX_TAKEN} addresses")),
        }
    }

    /// One was told. If too many wait, the oldest is dropped: it may be of a session that is long over.
    pub(crate) fn add(&mut self, candidate: Candidate, generation: Option<String>) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        self.note(&candidate);
        self.waiting.push_back((candidate, generation));
    }

    fn note(&mut self, candidate: &Candidate) {
        if candidate.kind() != CandidateKind::Relayed || self.is_relayed(candidate.addr()) {
            return;
        }
        if self.relayed.len() == MAX_RELAYED {
            self.relayed.pop_front();
        }
        self.relayed.push_back(candidate.addr());
    }

    /// Whether the peer has said that a relay is there.
    pub(crate) fn is_relayed(&self, address: SocketAddr) -> bool {
        self.relayed.contains(&address)
    }

    /// The next that the session can use.
    pub(crate) fn next(&mut self) -> Option<Candidate> {
        let current = self.generation.as_deref()?;
        let is_current = |generation: &Option<String>| generation.as_deref().is_none_or(|it| it == current);
        let at = self.waiting.iter().position(|(_, generation)| is_current(generation))?;
        let (candidate, _) = self.waiting.remove(at)?;
        if self.taken == MAX_TAKEN {
            self.waiting.clear();
            return None;
        }
        self.taken += 1;
        Some(candidate)
    }
}
