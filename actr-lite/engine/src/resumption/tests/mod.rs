//! What it decides in the cases that have a name; `properties` runs random ones.

mod properties;

use std::time::Duration;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

type Machine = Resumption<&'static str, &'static str>;

fn id(serial: u64) -> ActrId {
    ActrId::new(1, serial, "acme+Echo".parse().unwrap())
}

fn ids<const N: usize>(serials: [u64; N]) -> Event<&'static str, &'static str> {
    Event::Named(serials.map(id).into())
}

fn limits() -> Limits {
    Limits {
        timeout: TIMEOUT,
        first_frame: None,
        idle_timeout: None,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A machine, and what its shell sees.
struct Shell {
    machine: Machine,
    now: Duration,
    seen: Seen,
}

impl Shell {
    /// Of ten frames, which server 1 has agreed to send.
    fn agreed() -> Self {
        Self::with(limits())
    }

    fn with(limits: Limits) -> Self {
        Self::of(Resumption::agreed(limits, Some(10), Duration::ZERO, id(1), 0))
    }

    fn of(machine: Machine) -> Self {
        Self {
            machine,
            now: Duration::ZERO,
            seen: Seen::default(),
        }
    }

    /// Of a stream whose first server broke off behind this frame, and which asks the registry.
    fn broken_behind(delivered: u64) -> Self {
        let mut shell = Self::agreed();
        shell.waits(TIMEOUT / 2);
        shell.seen.delivered = delivered;
        shell.tell(Event::Ended(End::Broken, "cut"));
        shell.does(Action::Release);
        shell.does(Action::Broke(Broken::Ended("cut")));
        shell.does(Action::Discover {
            timeout: DISCOVER_TIMEOUT,
        });
        shell
    }

    fn poll(&mut self) -> Action<&'static str, &'static str> {
        self.machine.poll(self.now, self.seen, 0.5)
    }

    fn tell(&mut self, event: Event<&'static str, &'static str>) {
        self.machine.handle(event);
    }

    #[track_caller]
    fn does(&mut self, action: Action<&'static str, &'static str>) {
        assert_eq!(self.poll(), action);
    }

    #[track_caller]
    fn waits(&mut self, until: Duration) {
        self.does(Action::Wait(Some(until)));
    }

    #[track_caller]
    fn waits_for_events(&mut self) {
        self.does(Action::Wait(None));
    }

    #[track_caller]
    fn asks(&mut self, serial: u64, timeout: Duration) {
        self.does(Action::Ask {
            server: id(serial),
            timeout,
        });
        assert_eq!(self.machine.server(), Some(&id(serial)));
        self.waits_for_events();
    }

    fn fails(&mut self, failure: Failure, error: &'static str) {
        self.tell(Event::Failed(failure, error));
        self.does(Action::Release);
    }

    /// Sleeps until the machine wants to be polled.
    #[track_caller]
    fn sleeps(&mut self) {
        match self.poll() {
            Action::Wait(Some(until)) if until > self.now => self.now = until,
            other => panic!("it does not wait: {other:?}"),
        }
    }
}

#[test]
fn a_broken_stream_is_resumed_elsewhere_at_once() {
    let mut shell = Shell::broken_behind(3);
    assert!(!shell.machine.is_live());
    shell.waits_for_events();
    shell.tell(ids([1, 2]));
    shell.asks(2, ASK_TIMEOUT);
    assert!(!shell.machine.is_live());
    shell.tell(Event::Agreed);
    assert!(shell.machine.is_live());
    shell.does(Action::TookOver(id(2)));
    shell.waits(TIMEOUT / 2);
    shell.seen.delivered = 10;
    shell.tell(Event::Ended(End::Finished { frames: 10 }, "end"));
    shell.does(Action::Release);
    shell.does(Action::Complete);
    shell.waits_for_events();
}

#[test]
fn the_failed_one_is_asked_when_all_others_refused() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(ids([1, 2, 3]));
    shell.asks(2, ASK_TIMEOUT);
    shell.fails(Failure::Refused, "no");
    shell.asks(3, ASK_TIMEOUT);
    shell.fails(Failure::Refused, "nor I");
    shell.asks(1, ASK_TIMEOUT);
    shell.fails(Failure::Refused, "never again");
    shell.does(Action::GiveUp(GiveUp::Refused("never again")));
}

#[test]
fn the_failed_one_is_left_out_if_another_may_agree_later() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(ids([1, 2, 3]));
    shell.asks(2, ASK_TIMEOUT);
    shell.fails(Failure::Transient, "busy");
    shell.asks(3, ASK_TIMEOUT);
    shell.fails(Failure::Refused, "no");
    assert_eq!(shell.machine.cause(), None);
    shell.sleeps();
    assert_eq!(shell.machine.cause(), Some(&"busy"));
    shell.does(Action::Discover {
        timeout: DISCOVER_TIMEOUT,
    });
    shell.tell(ids([3, 1]));
    let left = TIMEOUT - shell.now;
    // It was the last one to fail.
    shell.asks(1, ASK_TIMEOUT.min(left));
}

#[test]
fn the_failed_one_is_asked_if_there_is_nobody_else() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(ids([1]));
    shell.asks(1, ASK_TIMEOUT);
}

#[test]
fn a_server_takes_no_more_than_its_share_of_the_time() {
    let mut shell = Shell::broken_behind(0);
    shell.now = seconds(15);
    shell.tell(ids([2, 3, 4]));
    shell.asks(2, seconds(5));
    shell.now = seconds(20);
    shell.fails(Failure::Transient, "late");
    shell.asks(3, seconds(5));
    shell.now = seconds(24);
    shell.fails(Failure::Transient, "late");
    shell.asks(4, seconds(6));
    shell.now = seconds(30);
    shell.fails(Failure::Transient, "later");
    shell.does(Action::GiveUp(GiveUp::TimedOut {
        broken: Some(Broken::Ended("cut")),
        cause: Some("later"),
    }));
}

#[test]
fn without_a_registry_the_known_servers_are_asked() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(Event::Unnamed(Unnamed::Silent, "no answer"));
    shell.asks(1, ASK_TIMEOUT);
    shell.fails(Failure::Transient, "gone");
    shell.sleeps();
    shell.seen.registry_is_away = true;
    shell.asks(1, ASK_TIMEOUT);
}

#[test]
fn if_none_is_known_the_registry_has_all_the_time() {
    let mut shell = Shell::of(Resumption::new(limits(), Some(10), Duration::ZERO));
    shell.seen.registry_is_away = true;
    shell.does(Action::Discover { timeout: TIMEOUT });
    shell.now = seconds(2);
    shell.tell(Event::Unnamed(Unnamed::Silent, "no answer"));
    shell.sleeps();
    let timeout = TIMEOUT - shell.now;
    shell.does(Action::Discover { timeout });
    shell.now = TIMEOUT;
    shell.tell(Event::Unnamed(Unnamed::Silent, "still none"));
    shell.does(Action::GiveUp(GiveUp::TimedOut {
        broken: None,
        cause: Some("still none"),
    }));
}

#[test]
fn known_servers_are_not_asked_if_the_registry_has_none() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(Event::Unnamed(Unnamed::NoServer, "nobody"));
    shell.sleeps();
    assert_eq!(shell.machine.cause(), Some(&"nobody"));
    shell.does(Action::Discover {
        timeout: DISCOVER_TIMEOUT,
    });
    shell.tell(ids([]));
    shell.sleeps();
    assert_eq!(shell.machine.cause(), Some(&"nobody"));
}

#[test]
fn the_registry_leaves_half_of_the_time_for_the_servers() {
    let mut shell = Shell::agreed();
    shell.waits(TIMEOUT / 2);
    shell.now = seconds(28);
    shell.tell(Event::Ended(End::Broken, "cut"));
    shell.does(Action::Release);
    shell.does(Action::Broke(Broken::Ended("cut")));
    shell.does(Action::Discover { timeout: seconds(1) });
}

#[test]
fn what_is_final_ends_the_search() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(Event::Unnamed(Unnamed::Final, "another contract"));
    shell.does(Action::GiveUp(GiveUp::Refused("another contract")));

    let mut shell = Shell::broken_behind(3);
    shell.tell(ids([2, 3]));
    shell.asks(2, ASK_TIMEOUT);
    shell.fails(Failure::Final, "this node stops");
    shell.does(Action::GiveUp(GiveUp::Refused("this node stops")));
}

#[test]
fn a_stream_that_this_node_ended_is_not_resumed() {
    let mut shell = Shell::agreed();
    shell.tell(Event::Ended(End::Unwanted, "unregistered"));
    shell.does(Action::Release);
    shell.does(Action::GiveUp(GiveUp::Ended("unregistered")));
}

#[test]
fn a_complete_stream_waits_only_a_moment_for_the_end() {
    let mut shell = Shell::agreed();
    shell.seen.delivered = 10;
    shell.now = seconds(1);
    shell.waits(seconds(1) + END_GRACE);
    // Whatever happens to the server now.
    shell.tell(Event::Leaves);
    shell.now = seconds(1) + END_GRACE / 2;
    shell.waits(seconds(1) + END_GRACE);
    shell.now = seconds(1) + END_GRACE;
    shell.does(Action::Release);
    shell.does(Action::Complete);
}

#[test]
fn a_complete_stream_is_complete_however_it_ended() {
    for end in [End::Broken, End::Unwanted, End::Finished { frames: 7 }] {
        let mut shell = Shell::agreed();
        shell.seen.delivered = 10;
        shell.tell(Event::Ended(end, "over"));
        shell.does(Action::Release);
        shell.does(Action::Complete);
    }
}

#[test]
fn frames_that_come_during_a_release_count() {
    let mut shell = Shell::agreed();
    shell.seen.delivered = 9;
    shell.tell(Event::Ended(End::Broken, "cut"));
    shell.does(Action::Release);
    shell.seen.delivered = 10;
    shell.does(Action::Complete);
}

#[test]
fn a_server_is_believed_if_nobody_said_how_many_frames() {
    let of_unknown = || Shell::of(Resumption::agreed(limits(), None, Duration::ZERO, id(1), 0));
    for (frames, action) in [(4, Action::Complete), (5, Action::Broke(Broken::Ended("end")))] {
        let mut shell = of_unknown();
        shell.seen.delivered = 4;
        shell.does(Action::Wait(None));
        shell.tell(Event::Ended(End::Finished { frames }, "end"));
        shell.does(Action::Release);
        shell.does(action);
    }
    let mut shell = of_unknown();
    shell.seen.delivered = 4;
    shell.tell(Event::Ended(End::Broken, "cut"));
    shell.does(Action::Release);
    shell.does(Action::Broke(Broken::Ended("cut")));
}

#[test]
fn a_server_that_sends_has_agreed_though_its_answer_is_lost() {
    let mut shell = Shell::broken_behind(0);
    shell.now = seconds(29);
    shell.tell(ids([2, 3]));
    shell.asks(2, seconds(1) / 2);
    shell.seen.delivered = 1;
    shell.fails(Failure::Transient, "no answer");
    shell.does(Action::TookOver(id(2)));
    // The time starts anew.
    shell.asks(3, ASK_TIMEOUT);
    shell.seen.delivered = 10;
    shell.waits(shell.now + END_GRACE);
    shell.now += END_GRACE;
    shell.does(Action::Release);
    shell.does(Action::TookOver(id(3)));
    shell.does(Action::Complete);
}

#[test]
fn an_end_before_the_answer_waits_for_it() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(ids([2]));
    shell.asks(2, ASK_TIMEOUT);
    shell.tell(Event::Ended(End::Broken, "gone"));
    shell.waits_for_events();
    shell.tell(Event::Agreed);
    shell.does(Action::TookOver(id(2)));
    shell.does(Action::Release);
    shell.does(Action::Broke(Broken::Ended("gone")));
}

#[test]
fn a_server_that_leaves_is_left_when_another_can_be_reached() {
    let mut shell = Shell::agreed();
    shell.seen.delivered = 1;
    shell.waits_for_events();
    shell.tell(Event::Leaves);
    let discover = Action::Discover {
        timeout: DISCOVER_TIMEOUT,
    };
    let connect = |serial| Action::Connect {
        server: id(serial),
        timeout: ASK_TIMEOUT,
    };
    shell.does(discover.clone());
    shell.waits_for_events();
    shell.tell(Event::Unnamed(Unnamed::Silent, "no answer"));
    shell.waits(LOOK_EVERY);
    shell.now = LOOK_EVERY;
    shell.does(discover);
    shell.tell(ids([1, 2, 3]));
    shell.does(connect(2));
    shell.waits_for_events();
    shell.tell(Event::Unreachable);
    shell.does(connect(3));
    shell.tell(Event::Connected);
    shell.does(Action::Release);
    shell.does(Action::Broke(Broken::Leaving(id(1))));
}

#[test]
fn a_leaving_server_is_kept_while_no_other_can_be_reached() {
    let mut shell = Shell::agreed();
    shell.tell(Event::Leaves);
    shell.poll();
    shell.tell(ids([1]));
    shell.waits(LOOK_EVERY);
    shell.now = LOOK_EVERY;
    shell.poll();
    shell.tell(ids([2]));
    shell.poll();
    shell.tell(Event::Unreachable);
    shell.waits(2 * LOOK_EVERY);
}

#[test]
fn a_silent_server_is_left_half_way_if_there_is_another() {
    let mut shell = Shell::agreed();
    shell.waits(TIMEOUT / 2);
    shell.now = TIMEOUT / 2;
    shell.does(Action::Discover {
        timeout: DISCOVER_TIMEOUT,
    });
    shell.waits(TIMEOUT);
    shell.tell(ids([2]));
    shell.does(Action::Connect {
        server: id(2),
        timeout: ASK_TIMEOUT,
    });
    shell.now += seconds(1);
    shell.tell(Event::Connected);
    shell.does(Action::Release);
    shell.does(Action::Broke(Broken::Silent {
        server: id(1),
        after: TIMEOUT / 2 + seconds(1),
        partial_len: 0,
    }));
    shell.does(Action::Discover {
        timeout: DISCOVER_TIMEOUT,
    });
}

#[test]
fn a_long_frame_on_its_way_is_not_thrown_away() {
    let mut shell = Shell::agreed();
    shell.sleeps();
    shell.seen.partial_len = 4000;
    shell.waits(TIMEOUT / 2 + LOOK_EVERY);
    shell.now = TIMEOUT - LOOK_EVERY / 2;
    shell.waits(TIMEOUT);
    shell.now = TIMEOUT;
    shell.does(Action::Release);
    shell.does(Action::Broke(Broken::Silent {
        server: id(1),
        after: TIMEOUT,
        partial_len: 4000,
    }));
    shell.does(Action::GiveUp(GiveUp::TimedOut {
        broken: Some(Broken::Silent {
            server: id(1),
            after: TIMEOUT,
            partial_len: 4000,
        }),
        cause: None,
    }));
}

#[test]
fn a_first_frame_may_take_longer_than_the_timeout() {
    let mut shell = Shell::with(Limits {
        first_frame: Some(2 * TIMEOUT),
        ..limits()
    });
    shell.waits(2 * TIMEOUT);
    shell.now = 2 * TIMEOUT - seconds(1);
    shell.waits(2 * TIMEOUT);
    shell.seen.delivered = 1;
    shell.now += seconds(1);
    shell.waits_for_events();
}

#[test]
fn a_first_frame_in_time_ends_the_search_for_another() {
    let mut shell = Shell::agreed();
    shell.sleeps();
    shell.poll();
    shell.tell(ids([2]));
    shell.seen.delivered = 1;
    shell.waits_for_events();
}

#[test]
fn an_idle_server_is_noticed_within_a_quarter() {
    let idle_timeout = seconds(4);
    let mut shell = Shell::with(Limits {
        idle_timeout: Some(idle_timeout),
        ..limits()
    });
    // It does not count before the first frame.
    for _ in 0..10 {
        shell.sleeps();
    }
    assert_eq!(shell.now, seconds(10));
    shell.seen.delivered = 1;
    for _ in 0..3 {
        shell.sleeps();
    }
    shell.seen.delivered = 2;
    for _ in 0..4 {
        shell.sleeps();
    }
    assert_eq!(shell.now, seconds(17));
    shell.does(Action::Release);
    shell.does(Action::Broke(Broken::Idle {
        server: id(1),
        after: idle_timeout,
    }));
}

#[test]
fn an_idle_timeout_of_nothing_keeps_no_core_busy() {
    let mut shell = Shell::with(Limits {
        idle_timeout: Some(Duration::from_nanos(1)),
        ..limits()
    });
    shell.waits(Duration::from_millis(1));
}

#[test]
fn answers_that_come_too_late_change_nothing() {
    let mut shell = Shell::broken_behind(3);
    for late in [
        Event::Agreed,
        Event::Connected,
        Event::Failed(Failure::Final, "late"),
        Event::Ended(End::Unwanted, "late"),
    ] {
        shell.tell(late);
        shell.waits_for_events();
    }
    shell.tell(ids([2]));
    shell.asks(2, ASK_TIMEOUT);
    for late in [ids([3]), Event::Unnamed(Unnamed::Final, "late"), Event::Unreachable] {
        shell.tell(late);
        shell.waits_for_events();
    }
    shell.tell(Event::Agreed);
    shell.does(Action::TookOver(id(2)));
    for late in [ids([3]), Event::Connected] {
        shell.tell(late);
        shell.waits(TIMEOUT / 2);
    }
}

#[test]
fn a_server_that_leaves_while_it_refuses_is_known_to_leave() {
    let mut shell = Shell::broken_behind(3);
    shell.tell(ids([2]));
    shell.asks(2, ASK_TIMEOUT);
    shell.tell(Event::Failed(Failure::Transient, "shutting down"));
    shell.tell(Event::Leaves);
    assert!(shell.machine.is_leaving());
    shell.does(Action::Release);
    shell.sleeps();
    assert!(!shell.machine.is_leaving());
}

#[test]
fn a_stream_that_wants_no_frames_is_complete() {
    let mut shell = Shell::of(Resumption::new(limits(), Some(0), Duration::ZERO));
    shell.does(Action::Complete);
}
