use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    proto::{ActrToSignaling, actr_to_signaling::Payload as RequestPayload, signaling_envelope::Flow},
};

use super::{LIFETIME, Scene, refusal, reply, unreachable_registry};
use crate::{
    error::RegistryLinkError,
    link::{Action, Event},
    state::LinkState,
};

const DUE: Duration = LIFETIME.saturating_mul(4).checked_div(5).unwrap();

fn refused(code: ErrorCode) -> RegistryLinkError {
    RegistryLinkError::refused("renewal", refusal(code))
}

/// Until the credential is to be renewed.
fn renewal(scene: &mut Scene) -> Duration {
    let action = scene.next_action();
    assert!(matches!(action, Action::Renew { .. }), "{action:?}");
    scene.now
}

#[test]
fn a_lost_connection_does_not_put_off_a_renewal() {
    let mut scene = Scene::open(1);
    for _ in 0..3 {
        scene.now += LIFETIME / 5;
        scene.lose_connection();
        scene.now += Duration::from_secs(1);
        scene.reopen();
    }
    assert_eq!(renewal(&mut scene), DUE);
}

#[test]
fn a_renewal_is_due_by_its_question_though_the_answer_is_late() {
    let mut scene = Scene::new();
    assert_eq!(scene.poll(), Action::Register);
    let granted = scene.grant(1);
    scene.now += LIFETIME / 2;
    scene.handle(Event::Granted(granted));
    scene.reopen();
    assert_eq!(renewal(&mut scene), DUE);
}

#[test]
fn a_lost_answer_is_asked_for_again_by_the_same_token() {
    let mut scene = Scene::open(1);
    renewal(&mut scene);
    scene.handle(Event::Granted(Err(unreachable_registry())));
    assert!(renewal(&mut scene) <= DUE + Duration::from_millis(100));
    let renewed = scene.grant(1);
    scene.handle(Event::Granted(renewed));
    assert_eq!(renewal(&mut scene).as_secs(), (2 * DUE).as_secs());
}

#[test]
fn a_renewal_goes_on_though_the_connection_is_lost() {
    let mut scene = Scene::open(1);
    renewal(&mut scene);
    scene.lose_connection();
    let renewed = scene.grant(1).unwrap();
    scene.handle(Event::Granted(Ok(renewed.clone())));
    scene.now += Duration::from_secs(1);
    assert_eq!(scene.poll(), Action::Open(renewed.identity));
}

#[test]
fn a_node_that_is_not_renewed_leaves_and_returns_as_new() {
    let mut scene = Scene::open(1);
    renewal(&mut scene);
    scene.handle(Event::Granted(Err(refused(ErrorCode::Other(401)))));
    assert!(matches!(scene.next_action(), Action::Reissue { .. }));
    scene.handle(Event::Granted(Err(refused(ErrorCode::Other(401)))));
    assert_eq!(scene.next_action(), Action::Register);
    let new = scene.grant(2).unwrap();
    scene.handle(Event::Granted(Ok(new.clone())));
    let Action::Send(farewell) = scene.poll() else {
        panic!("no farewell");
    };
    let Some(Flow::ActrToServer(ActrToSignaling { source, payload, .. })) = farewell.flow else {
        panic!("{farewell:?}");
    };
    assert_eq!(source.serial_number, 1);
    assert!(matches!(payload, Some(RequestPayload::Unregister(_))), "{payload:?}");
    assert_eq!(scene.poll(), Action::Close);
    assert_eq!(scene.poll(), Action::Open(new.identity));
    assert_eq!(*scene.link.state(), LinkState::Registered { last_error: None });
}

#[test]
fn a_heartbeat_that_is_answered_401_renews_at_once() {
    let mut scene = Scene::open(1);
    scene.now = Duration::from_secs(30);
    scene.handle(Event::SignOfLife);
    scene.answer_heartbeat(Err(refusal(ErrorCode::Other(401))));
    assert!(matches!(scene.poll(), Action::Renew { .. }));
    assert_eq!(*scene.link.state(), LinkState::Connected);
    scene.handle(Event::Granted(Err(refused(ErrorCode::NotFound))));
    assert!(matches!(scene.poll(), Action::Reissue { .. }));
    scene.handle(Event::Granted(Err(refused(ErrorCode::NotFound))));
    assert_eq!(scene.poll(), Action::Register, "only if that is refused");
}

#[test]
fn who_is_told_401_again_waits_for_the_next_try() {
    let mut scene = Scene::open(1);
    let refuse_heartbeat_at = |scene: &mut Scene, seconds| {
        scene.now = Duration::from_secs(seconds);
        scene.handle(Event::SignOfLife);
        scene.answer_heartbeat(Err(refusal(ErrorCode::Other(401))));
    };
    refuse_heartbeat_at(&mut scene, 30);
    assert!(matches!(scene.poll(), Action::Renew { .. }));
    scene.now = Duration::from_secs(59);
    scene.handle(Event::Granted(Err(refused(ErrorCode::PermissionDenied))));
    refuse_heartbeat_at(&mut scene, 60);
    assert!(!matches!(scene.poll(), Action::Renew { .. }), "30 s after the last one");
}

#[test]
fn an_answer_to_an_old_credential_says_nothing_of_the_new_one() {
    let mut scene = Scene::open(1);
    scene.now = Duration::from_secs(30);
    scene.handle(Event::SignOfLife);
    scene.answer_heartbeat(Err(refusal(ErrorCode::Other(401))));
    assert!(matches!(scene.poll(), Action::Renew { .. }));
    scene.now = Duration::from_secs(60);
    scene.handle(Event::SignOfLife);
    let Action::Send(late) = scene.poll() else {
        panic!("no heartbeat");
    };
    scene.handle(Event::Granted(scene.grant(1)));
    scene.handle(Event::Received(reply(&late, Err(refusal(ErrorCode::Other(401))))));
    scene.answer_heartbeat(Ok(super::pong()));
    assert!(
        matches!(scene.poll(), Action::Wait(_)),
        "neither renewed nor registered"
    );
    assert_eq!(*scene.link.state(), LinkState::Connected);
}

#[test]
fn a_node_that_leaves_renews_nothing() {
    let mut scene = Scene::open(1);
    scene.link.leave();
    scene.now = DUE;
    scene.handle(Event::SignOfLife);
    scene.answer_heartbeat(Ok(super::pong()));
    assert_eq!(scene.poll(), Action::Wait(Some(DUE + Duration::from_secs(5))));
    scene.lose_connection();
    assert_eq!(scene.poll(), Action::Stop);
}

#[test]
fn a_new_registration_that_is_refused_for_good_is_tried_seldom() {
    let mut scene = Scene::open(1);
    renewal(&mut scene);
    scene.handle(Event::Granted(Err(refused(ErrorCode::InvalidArgument))));
    assert!(matches!(scene.next_action(), Action::Reissue { .. }));
    scene.handle(Event::Granted(Err(refused(ErrorCode::NotImplemented))));
    assert_eq!(scene.next_action(), Action::Register);
    scene.handle(Event::Granted(Err(refused(ErrorCode::PermissionDenied))));
    let since = scene.now;
    assert_eq!(scene.next_action(), Action::Register);
    assert_eq!(scene.now - since, Duration::from_secs(30));
}
