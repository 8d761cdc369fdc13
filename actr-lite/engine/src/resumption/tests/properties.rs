use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::retry::MAX_WAIT;

const FRAMES: u64 = 6;

/// More than any schedule has: an idle timeout of a millisecond is looked at every millisecond, for some minutes.
const MAX_STEPS: usize = 1_000_000;

/// What becomes of one question to a server, with times in milliseconds.
#[derive(Debug, Clone)]
enum Conduct {
    /// It does not answer within the timeout.
    Freezes,
    /// It fails, perhaps after some frames that came without an answer.
    Fails(u64, Failure, u64),
    /// It agrees, sends so many frames, one in each span of this length, and ends after another one.
    Sends(u64, u64, u64, Option<End>),
    /// As the one before, but it shuts down when it agrees.
    Leaves(u64, u64),
}

#[derive(Debug, Clone)]
enum Registry {
    Names(Vec<u64>),
    Fails(Unnamed),
    Hangs,
}

fn any_conduct() -> impl Strategy<Value = Conduct> {
    let failure = prop_oneof![4 => Just(Failure::Transient), 2 => Just(Failure::Refused), 1 => Just(Failure::Final)];
    let end = prop_oneof![
        4 => Just(Some(End::Broken)),
        2 => Just(Some(End::Finished { frames: FRAMES })),
        1 => Just(Some(End::Unwanted)),
        2 => Just(None),
    ];
    prop_oneof![
        1 => Just(Conduct::Freezes),
        3 => (0..3000u64, failure, 0..2u64).prop_map(|(after, failure, frames)| Conduct::Fails(after, failure, frames)),
        4 => (0..3000u64, 0..4u64, 0..5000u64, end).prop_map(|(after, frames, pace, end)| {
            Conduct::Sends(after, frames, pace, end)
        }),
        1 => (0..3000u64, 0..3u64).prop_map(|(after, frames)| Conduct::Leaves(after, frames)),
    ]
}

fn any_registry() -> impl Strategy<Value = Registry> {
    let unnamed = prop_oneof![4 => Just(Unnamed::Silent), 4 => Just(Unnamed::NoServer), 1 => Just(Unnamed::Final)];
    prop_oneof![
        8 => vec(1..5u64, 1..5).prop_map(|mut servers| {
            servers.sort_unstable();
            servers.dedup();
            Registry::Names(servers)
        }),
        2 => unnamed.prop_map(Registry::Fails),
        1 => Just(Registry::Hangs),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Frame(u64),
    Told(u64, usize),
}

/// A shell around a machine, with all that must hold of it.
struct World {
    shell: Shell,
    due: BinaryHeap<Reverse<(Duration, Due)>>,
    events: Vec<Option<Event<&'static str, &'static str>>>,
    conducts: Vec<Conduct>,
    registry: Vec<Registry>,
    /// How many times a server was asked or begun with.
    attempt: u64,
    is_held: bool,
    is_looked_up: bool,
    known: Vec<ActrId>,
    failed: Option<ActrId>,
    server: Option<ActrId>,
    /// Those that refused in this round.
    refused: BTreeSet<ActrId>,
    is_transient: bool,
    /// Since when no frame has come; none while a server sends.
    waiting_since: Option<Duration>,
    has_agreed: bool,
    begun_with: u64,
}

impl World {
    fn new(conducts: Vec<Conduct>, registry: Vec<Registry>, limits: Limits) -> Self {
        Self {
            shell: Shell::of(Resumption::new(limits, Some(FRAMES), Duration::ZERO)),
            due: BinaryHeap::new(),
            events: Vec::new(),
            conducts,
            registry,
            attempt: 0,
            is_held: false,
            is_looked_up: false,
            known: Vec::new(),
            failed: None,
            server: None,
            refused: BTreeSet::new(),
            is_transient: false,
            waiting_since: Some(Duration::ZERO),
            has_agreed: false,
            begun_with: 0,
        }
    }

    fn left(&self) -> Duration {
        let since = self.waiting_since.unwrap_or(self.shell.now);
        TIMEOUT.saturating_sub(self.shell.now - since)
    }

    /// Told later, unless it is of no interest by then.
    fn later(&mut self, after: Duration, event: Event<&'static str, &'static str>) {
        self.events.push(Some(event));
        let due = Due::Told(self.attempt, self.events.len() - 1);
        self.due.push(Reverse((self.shell.now + after, due)));
    }

    fn frames(&mut self, after: Duration, pace: Duration, frames: u64) -> Duration {
        for number in 1..=frames {
            let at = self.shell.now + after + pace * number as u32;
            self.due.push(Reverse((at, Due::Frame(self.attempt))));
        }
        after + pace * frames as u32
    }

    fn asked(&mut self, server: ActrId, timeout: Duration) {
        self.attempt += 1;
        (self.is_held, self.has_agreed, self.begun_with) = (true, false, self.shell.seen.delivered);
        self.server = Some(server);
        let conduct = match self.conducts.is_empty() {
            true => Conduct::Freezes,
            false => self.conducts.remove(0),
        };
        let millis = |after| Duration::from_millis(after);
        match conduct {
            Conduct::Freezes => self.later(timeout, Event::Failed(Failure::Transient, "timed out")),
            Conduct::Fails(after, failure, frames) => {
                let after = millis(after).min(timeout);
                self.frames(Duration::ZERO, after / 2, frames);
                self.later(after, Event::Failed(failure, "failed"));
            }
            Conduct::Sends(after, frames, pace, end) => {
                let after = millis(after).min(timeout);
                self.later(after, Event::Agreed);
                let last = self.frames(after, millis(pace), frames);
                if let Some(end) = end {
                    self.later(last + millis(pace), Event::Ended(end, "ended"));
                }
            }
            Conduct::Leaves(after, frames) => {
                let after = millis(after).min(timeout);
                self.later(after, Event::Agreed);
                self.later(after, Event::Leaves);
                self.frames(after, millis(1500), frames);
            }
        }
    }

    /// Whether a server may be asked now that failed last.
    fn may_ask_failed(&self) -> bool {
        let mut others = self.known.iter().filter(|known| Some(*known) != self.failed.as_ref());
        !self.is_transient && others.all(|other| self.refused.contains(other))
    }

    fn run(mut self) -> Result<(), TestCaseError> {
        for _ in 0..MAX_STEPS {
            let now = self.shell.now;
            match self.shell.poll() {
                Action::Discover { timeout } => {
                    self.begins_lookup()?;
                    if !self.is_held {
                        prop_assert!(!timeout.is_zero() && timeout <= self.left(), "{timeout:?}");
                        self.refused.clear();
                        self.is_transient = false;
                    }
                    self.attempt += u64::from(!self.is_held);
                    match self.registry.pop() {
                        Some(Registry::Names(servers)) => {
                            let servers: Vec<_> = servers.into_iter().map(id).collect();
                            self.later(timeout / 2, Event::Named(servers));
                        }
                        Some(Registry::Fails(why)) => self.later(timeout / 2, Event::Unnamed(why, "unnamed")),
                        Some(Registry::Hangs) | None => {
                            self.later(timeout, Event::Unnamed(Unnamed::Silent, "no answer"));
                        }
                    }
                }
                Action::Connect { server, timeout } => {
                    self.begins_lookup()?;
                    prop_assert!(self.is_held && Some(&server) != self.server.as_ref());
                    let reached = server.serial_number() % 2 == 0;
                    let event = if reached { Event::Connected } else { Event::Unreachable };
                    self.later(timeout / 10, event);
                }
                Action::Ask { server, timeout } => {
                    prop_assert!(!self.is_held, "two servers are asked at once");
                    prop_assert!(!self.is_looked_up, "asked during a search");
                    prop_assert!(!timeout.is_zero() && timeout <= self.left().min(ASK_TIMEOUT));
                    prop_assert!(self.known.contains(&server));
                    if Some(&server) == self.failed.as_ref() {
                        prop_assert!(self.may_ask_failed(), "{server} failed last");
                    }
                    self.asked(server, timeout);
                }
                Action::Release => {
                    (self.is_held, self.is_looked_up) = (false, false);
                    self.attempt += 1;
                    self.failed = self.server.take();
                    self.waiting_since.get_or_insert(now);
                }
                Action::TookOver(server) => {
                    prop_assert!(
                        self.has_agreed || self.shell.seen.delivered > self.begun_with,
                        "{server}"
                    );
                }
                Action::Broke(_) => {
                    prop_assert!(self.has_agreed && self.shell.seen.delivered < FRAMES);
                    self.has_agreed = false;
                }
                Action::Complete => {
                    prop_assert!(self.shell.seen.delivered >= FRAMES && !self.is_held);
                    return self.ends();
                }
                Action::GiveUp(why) => {
                    prop_assert!(self.shell.seen.delivered < FRAMES && !self.is_held);
                    if let GiveUp::TimedOut { .. } = why {
                        prop_assert!(self.left() <= MAX_WAIT, "too early: {:?}", self.left());
                        let since = self.waiting_since.unwrap_or(now);
                        prop_assert!(now - since <= TIMEOUT, "too late: {:?}", now - since);
                    }
                    return self.ends();
                }
                Action::Wait(until) => self.sleep(until)?,
            }
        }
        prop_assert!(false, "it does not come to its end");
        Ok(())
    }

    fn begins_lookup(&mut self) -> Result<(), TestCaseError> {
        prop_assert!(!std::mem::replace(&mut self.is_looked_up, true), "two searches at once");
        Ok(())
    }

    fn ends(mut self) -> Result<(), TestCaseError> {
        self.shell.tell(Event::Agreed);
        prop_assert_eq!(self.shell.poll(), Action::Wait(None));
        Ok(())
    }

    fn sleep(&mut self, until: Option<Duration>) -> Result<(), TestCaseError> {
        let next = self.due.peek().map(|Reverse((at, _))| *at);
        let wake = match (until, next) {
            (Some(until), Some(next)) => until.min(next),
            (until, next) => until.or(next).ok_or_else(|| TestCaseError::fail("it waits for ever"))?,
        };
        prop_assert!(until.is_none_or(|until| until > self.shell.now), "it does not wait");
        self.shell.now = wake;
        let Some(Reverse((at, due))) = self.due.peek().cloned() else {
            return Ok(());
        };
        if at > wake {
            return Ok(());
        }
        self.due.pop();
        match due {
            Due::Frame(attempt) if attempt == self.attempt && self.is_held && self.shell.seen.delivered < FRAMES => {
                self.shell.seen.delivered += 1;
                self.waiting_since = None;
            }
            Due::Told(attempt, event) if attempt == self.attempt => {
                let event = self.events[event].take();
                if let Some(event) = event {
                    self.told(&event);
                    self.shell.tell(event);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, event: &Event<&'static str, &'static str>) {
        match event {
            Event::Named(servers) => {
                self.is_looked_up = false;
                if !self.is_held {
                    self.known.clone_from(servers);
                }
            }
            Event::Unnamed(..) | Event::Connected | Event::Unreachable => self.is_looked_up = false,
            Event::Agreed => self.has_agreed = true,
            Event::Failed(failure, _) => match failure {
                Failure::Transient => self.is_transient = true,
                _ => self.refused.extend(self.server.clone()),
            },
            Event::Ended(..) | Event::Leaves => {}
        }
    }
}

proptest! {
    #[test]
    fn one_server_at_a_time_is_asked_within_the_time(
        conducts in vec(any_conduct(), 0..12),
        registry in vec(any_registry(), 0..30),
        idle in proptest::option::of(1..20_000u64),
    ) {
        let idle_timeout = Some(Duration::from_millis(idle.unwrap_or(60_000)));
        World::new(conducts, registry, Limits { idle_timeout, ..limits() }).run()?;
    }

    #[test]
    fn only_delivered_frames_give_more_time(conducts in vec(any_conduct(), 0..40), servers in 1..5u64) {
        let registry = vec![Registry::Names((1..=servers).collect()); 1000];
        let conducts = conducts.into_iter().map(|conduct| match conduct {
            Conduct::Fails(after, _, _) => Conduct::Fails(after, Failure::Transient, 0),
            Conduct::Sends(after, _, pace, _) => Conduct::Sends(after, 0, pace, Some(End::Broken)),
            conduct => conduct,
        });
        let conducts = conducts.filter(|conduct| !matches!(conduct, Conduct::Leaves(..)));
        let mut world = World::new(conducts.collect(), registry, limits());
        world.waiting_since = Some(Duration::ZERO);
        world.run()?;
    }
}
