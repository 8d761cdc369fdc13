//! How the next server is found.

use super::*;

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
