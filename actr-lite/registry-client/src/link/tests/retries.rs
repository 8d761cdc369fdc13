use std::time::Duration;

use actr_lite_wire::error_code::ErrorCode;

use super::{Scene, refusal, unreachable_registry};
use crate::{
    error::RegistryLinkError,
    link::{Action, Event},
    state::LinkState,
};

/// How long the link waits before its next try.
fn wait(scene: &mut Scene) -> u128 {
    let Action::Wait(Some(until)) = scene.poll() else {
        panic!("it does not wait");
    };
    let waited = until - scene.now;
    scene.now = until;
    waited.as_millis()
}

#[test]
fn a_registry_that_is_away_is_tried_after_waits_that_grow() {
    let mut scene = Scene::new();
    let mut waits = [0; 6];
    for waited in &mut waits {
        assert_eq!(scene.poll(), Action::Register);
        scene.handle(Event::Granted(Err(unreachable_registry())));
        *waited = wait(&mut scene);
    }
    assert_eq!(waits, [100, 200, 400, 800, 1000, 1000]);
    scene.handle(Event::Opened(Ok(())));
    assert_eq!(scene.poll(), Action::Register, "what nobody asked for changes nothing");
}

#[test]
fn an_answer_over_the_connection_starts_the_waits_again() {
    let mut scene = Scene::open(1);
    for _ in 0..3 {
        scene.lose_connection();
        assert_eq!(wait(&mut scene), 100);
        scene.reopen();
    }
    scene.lose_connection();
    assert_eq!(wait(&mut scene), 100);
    for expected in [200, 400] {
        assert!(matches!(scene.poll(), Action::Open(_)));
        scene.handle(Event::Opened(Ok(())));
        assert_eq!(*scene.link.state(), LinkState::Opened);
        assert!(matches!(scene.poll(), Action::Send(_)));
        scene.lose_connection();
        assert_eq!(wait(&mut scene), expected, "no answer yet");
    }
}

#[test]
fn an_identity_that_is_refused_after_a_wait_is_replaced_at_once() {
    let refused = || RegistryLinkError::refused("signaling connection", refusal(ErrorCode::PermissionDenied));
    let mut scene = Scene::open(1);
    scene.lose_connection();
    wait(&mut scene);
    assert!(matches!(scene.poll(), Action::Open(_)));
    scene.handle(Event::Opened(Err(refused())));
    assert_eq!(scene.poll(), Action::Register);
    scene.handle(Event::Granted(scene.grant(2)));
    assert!(scene.link.has_been(&scene.grant(1).unwrap().identity.actor_id));

    assert!(matches!(scene.poll(), Action::Open(_)));
    scene.handle(Event::Opened(Err(refused())));
    assert_eq!(wait(&mut scene), 200, "a new one that is refused too is not");
}

#[test]
fn a_heartbeat_that_says_unknown_closes_and_registers_again() {
    let mut scene = Scene::open(1);
    scene.now = Duration::from_secs(30);
    scene.handle(Event::SignOfLife);
    scene.answer_heartbeat(Err(refusal(ErrorCode::NotFound)));
    assert_eq!((scene.poll(), scene.poll()), (Action::Close, Action::Register));
    assert!(matches!(
        scene.link.state(),
        LinkState::Registering {
            last_error: Some(RegistryLinkError::Forgotten { .. })
        }
    ));
}
