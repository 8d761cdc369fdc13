use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actr_lite_wire::{
    error_code::ErrorCode,
    proto::{SignalingEnvelope, actr_to_signaling::Payload as RequestPayload, signaling_envelope::Flow},
};
use proptest::prelude::*;

use super::{Scene, pong, refusal, reply, too_many, unreachable_registry};
use crate::{
    error::RegistryLinkError,
    link::{Action, DEAD_AFTER, Event},
    request::Request,
    state::LinkState,
};

/// How many actions follow one event at most, beside the answers to requests.
const MAX_ACTIONS: usize = 6;

/// The longest wait between two tries, and the time to give a silent connection up.
const RECOVERY: Duration = Duration::from_secs(30 + 10 + 1);

const LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Time goes on, at most until the link wants its turn.
    Wait(u64),
    /// What is under way comes out so.
    Granted(Answer),
    Opened(Answer),
    /// The oldest message that has no answer gets one.
    Answered(Answer),
    Lost,
    /// One message was one too many, and the registry does not say which.
    TooMany,
    /// The registry takes what is sent, or does not.
    Takes(bool),
    Ask,
    TakeBack,
    Leave,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Ok,
    OkAsAnother,
    Refused(ErrorCode),
    Lost,
}

impl Answer {
    fn error(self) -> RegistryLinkError {
        match self {
            Self::Refused(code) => RegistryLinkError::refused("request", refusal(code)),
            _ => unreachable_registry(),
        }
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    use ErrorCode::{Internal, NotFound, Other, PermissionDenied, Unavailable};
    let codes = [NotFound, PermissionDenied, Unavailable, Internal, Other(401)];
    prop_oneof![
        6 => Just(Answer::Ok),
        1 => Just(Answer::OkAsAnother),
        2 => prop::sample::select(codes.to_vec()).prop_map(Answer::Refused),
        1 => Just(Answer::Lost),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..900_000u64).prop_map(Step::Wait),
        4 => answer().prop_map(Step::Granted),
        4 => answer().prop_map(Step::Opened),
        8 => answer().prop_map(Step::Answered),
        1 => Just(Step::Lost),
        1 => Just(Step::TooMany),
        2 => any::<bool>().prop_map(Step::Takes),
        3 => Just(Step::Ask),
        1 => Just(Step::TakeBack),
        1 => prop::bool::weighted(0.1).prop_map(|leaves| if leaves { Step::Leave } else { Step::Ask }),
    ]
}

/// What a shell has, and what it has promised.
#[derive(Default)]
struct Shell {
    is_asking: bool,
    is_opening: bool,
    is_open: bool,
    /// What was sent over the open connection and has no answer.
    sent: Vec<SignalingEnvelope>,
    heartbeats: BTreeSet<String>,
    /// Who waits for an answer: until when, and the number to take it back.
    waiting: BTreeMap<u32, (Duration, u64)>,
    waiters: u32,
    serial: u64,
    wake: Option<Duration>,
    has_stopped: bool,
}

fn is_heartbeat(envelope: &SignalingEnvelope) -> bool {
    matches!(payload(envelope), Some(RequestPayload::Ping(_)))
}

fn is_farewell(envelope: &SignalingEnvelope) -> bool {
    matches!(payload(envelope), Some(RequestPayload::Unregister(_)))
}

fn payload(envelope: &SignalingEnvelope) -> Option<&RequestPayload> {
    match &envelope.flow {
        Some(Flow::ActrToServer(request)) => request.payload.as_ref(),
        _ => None,
    }
}

impl Shell {
    /// Does what the link wants.
    fn act(&mut self, scene: &mut Scene) {
        for _ in 0..MAX_ACTIONS + self.waiting.len() {
            match scene.poll() {
                Action::Register => self.is_asking = true,
                Action::Renew { .. } | Action::Reissue { .. } => {
                    assert!(self.is_open && !self.is_asking, "a renewal beside another question");
                    self.is_asking = true;
                }
                Action::Open(identity) => {
                    assert!(!self.is_open, "a second connection");
                    assert_eq!(scene.link.identity(), Some(&identity));
                    self.is_opening = true;
                }
                Action::Send(envelope) => {
                    assert!(self.is_open, "{envelope:?}");
                    assert!(scene.can_send || is_farewell(&envelope), "{envelope:?}");
                    if is_heartbeat(&envelope) {
                        assert!(self.heartbeats.insert(envelope.envelope_id.clone()), "a number twice");
                    }
                    self.sent.push(*envelope);
                }
                Action::Ping => assert!(self.is_open && scene.can_send),
                Action::Close | Action::Drop => {
                    assert!(self.is_open, "it is closed already");
                    self.is_open = false;
                    self.sent.clear();
                }
                Action::Answer(waiter, _) => {
                    let (until, _) = self.waiting.remove(&waiter).expect("somebody who waits");
                    assert!(scene.now <= until, "{:?} late", scene.now - until);
                }
                Action::Relay(_) => panic!("no node says anything to another one"),
                Action::Wait(until) => return self.wait(until, scene.now),
                Action::Stop => {
                    assert!(self.waiting.is_empty());
                    self.has_stopped = true;
                    return;
                }
            }
        }
        panic!("there is always something to be done");
    }

    fn wait(&mut self, until: Option<Duration>, now: Duration) {
        assert!(until.is_none_or(|until| until > now), "it waits for what is past");
        let first = self.waiting.values().map(|(until, _)| *until).min();
        assert!(first.is_none_or(|first| until.is_some_and(|until| until <= first)));
        assert!(
            until.is_some() || self.is_asking || self.is_opening,
            "it waits for nothing"
        );
        if self.is_open {
            assert!(until.is_some_and(|until| until <= now + DEAD_AFTER));
        }
        self.wake = until;
    }

    fn event(&mut self, scene: &Scene, step: Step) -> Option<Event> {
        match step {
            Step::Granted(answer) if self.is_asking => {
                self.is_asking = false;
                self.serial += u64::from(matches!(answer, Answer::OkAsAnother) || self.serial == 0);
                Some(Event::Granted(match answer {
                    Answer::Ok | Answer::OkAsAnother => scene.grant(self.serial),
                    answer => Err(answer.error()),
                }))
            }
            Step::Opened(answer) if self.is_opening => {
                self.is_opening = false;
                self.is_open = matches!(answer, Answer::Ok | Answer::OkAsAnother);
                Some(Event::Opened(if self.is_open { Ok(()) } else { Err(answer.error()) }))
            }
            Step::Answered(answer) if !self.sent.is_empty() => {
                let sent = self.sent.remove(0);
                Some(Event::Received(match answer {
                    Answer::Ok | Answer::OkAsAnother => reply(&sent, Ok(pong())),
                    Answer::Refused(code) => reply(&sent, Err(refusal(code))),
                    Answer::Lost => return None,
                }))
            }
            Step::Lost => Some(Event::Lost(unreachable_registry())),
            Step::TooMany => Some(Event::Received(too_many())),
            _ => None,
        }
    }

    fn step(&mut self, scene: &mut Scene, step: Step) {
        match step {
            Step::Wait(millis) => {
                let until = scene.now + Duration::from_millis(millis);
                scene.now = self.wake.map_or(until, |wake| until.min(wake));
            }
            Step::Ask => {
                self.waiters += 1;
                let request = Request::SigningKey {
                    key_id: self.waiters % 9,
                };
                let number = scene.link.ask(request, LIMIT, self.waiters, scene.now).unwrap();
                self.waiting.insert(self.waiters, (scene.now + LIMIT, number));
            }
            Step::TakeBack => {
                if let Some((_, (_, number))) = self.waiting.pop_first() {
                    scene.link.take_back(number);
                }
            }
            Step::Takes(can_send) => scene.can_send = can_send,
            Step::Leave => scene.link.leave(),
            step => {
                if let Some(event) = self.event(scene, step) {
                    scene.handle(event);
                }
            }
        }
    }
}

proptest! {
    // Each grant is signed, which takes long in a build without optimisation.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_all_are_answered_in_time_and_nothing_spins(steps in prop::collection::vec(step(), 0..200)) {
        let (mut scene, mut shell) = (Scene::new(), Shell::default());
        shell.act(&mut scene);
        for step in steps {
            shell.step(&mut scene, step);
            shell.act(&mut scene);
            if shell.has_stopped {
                break;
            }
        }
        scene.link.stop();
        shell.act(&mut scene);
        prop_assert!(shell.has_stopped && shell.waiting.is_empty());
        prop_assert_eq!(scene.link.waiting_requests(), 0);
        prop_assert_eq!(scene.link.state(), &LinkState::Stopped);
        let request = Request::SigningKey { key_id: 1 };
        prop_assert_eq!(scene.link.ask(request, LIMIT, 0, scene.now), Err(RegistryLinkError::Stopped));
    }

    /// However badly it went: a registry that does as it should has the node within a few tries.
    #[test]
    fn a_registry_that_is_well_again_has_the_node(steps in prop::collection::vec(step(), 0..200)) {
        let (mut scene, mut shell) = (Scene::new(), Shell::default());
        shell.act(&mut scene);
        for step in steps {
            if !matches!(step, Step::Leave) {
                shell.step(&mut scene, step);
                shell.act(&mut scene);
            }
        }
        scene.can_send = true;
        let until = scene.now + RECOVERY;
        while scene.now < until && *scene.link.state() != LinkState::Connected {
            for step in [Step::Granted(Answer::OkAsAnother), Step::Opened(Answer::Ok), Step::Answered(Answer::Ok), Step::Wait(RECOVERY.as_millis() as u64)] {
                shell.step(&mut scene, step);
                shell.act(&mut scene);
            }
        }
        prop_assert_eq!(scene.link.state(), &LinkState::Connected);
    }
}
