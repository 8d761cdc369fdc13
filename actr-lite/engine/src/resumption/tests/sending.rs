//! When a server that has agreed is kept, when it is left, and when all has come.

use super::*;

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
fn a_stream_that_wants_no_frames_is_complete() {
    let mut shell = Shell::of(Resumption::new(limits(), Some(0), Duration::ZERO));
    shell.does(Action::Complete);
}
