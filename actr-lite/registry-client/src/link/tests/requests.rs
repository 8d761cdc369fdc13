use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    proto::{
        GetSigningKeyResponse, RouteCandidatesResponse, SignalingEnvelope, route_candidates_response,
        signaling_to_actr::Payload,
    },
};

use super::{Scene, refusal, reply};
use crate::{
    error::RegistryLinkError,
    link::{Action, Event},
    request::{REQUEST_TIMEOUT, Request},
};

fn ask(scene: &mut Scene, waiter: u32) -> Box<SignalingEnvelope> {
    let request = Request::SigningKey { key_id: waiter };
    scene.link.ask(request, REQUEST_TIMEOUT, waiter, scene.now).unwrap();
    let Action::Send(envelope) = scene.poll() else {
        panic!("it is not sent");
    };
    envelope
}

fn refused(code: ErrorCode) -> RegistryLinkError {
    RegistryLinkError::refused("request for a signing key", refusal(code))
}

#[test]
fn an_answer_goes_to_who_asked() {
    let mut scene = Scene::open(1);
    let (first, second) = (ask(&mut scene, 1), ask(&mut scene, 2));
    let key = || Payload::GetSigningKey(GetSigningKeyResponse::default());
    scene.handle(Event::Received(reply(&second, Ok(key()))));
    assert_eq!(scene.poll(), Action::Answer(2, Ok(key())));
    scene.handle(Event::Received(reply(&first, Err(refusal(ErrorCode::NotFound)))));
    assert_eq!(scene.poll(), Action::Answer(1, Err(refused(ErrorCode::NotFound))));
    scene.answer_heartbeat(Ok(super::pong()));
    assert!(
        matches!(scene.poll(), Action::Wait(_)),
        "a heartbeat asks whether the node is known"
    );
}

#[test]
fn a_refusal_within_an_answer_is_one() {
    let mut scene = Scene::open(1);
    let asked = ask(&mut scene, 1);
    let result = Some(route_candidates_response::Result::Error(refusal(
        ErrorCode::PermissionDenied,
    )));
    let answer = Payload::RouteCandidates(RouteCandidatesResponse { result });
    scene.handle(Event::Received(reply(&asked, Ok(answer))));
    assert_eq!(
        scene.poll(),
        Action::Answer(1, Err(refused(ErrorCode::PermissionDenied)))
    );
}

#[test]
fn what_is_refused_for_now_is_asked_again_a_bit_later() {
    let mut scene = Scene::open(1);
    let asked = ask(&mut scene, 1);
    scene.handle(Event::Received(reply(&asked, Err(refusal(ErrorCode::Unavailable)))));
    scene.answer_heartbeat(Ok(super::pong()));
    assert_eq!(scene.poll(), Action::Wait(Some(Duration::from_millis(100))));
    scene.now = Duration::from_millis(100);
    let Action::Send(again) = scene.poll() else {
        panic!("it is not asked again");
    };
    assert_eq!(again, asked);
}

#[test]
fn a_request_outlives_its_connection_but_not_its_time() {
    let mut scene = Scene::open(1);
    let asked = ask(&mut scene, 1);
    scene.lose_connection();
    scene.now = Duration::from_millis(100);
    assert!(matches!(scene.poll(), Action::Open(_)));
    scene.handle(Event::Opened(Ok(())));
    scene.answer_heartbeat(Ok(super::pong()));
    assert_eq!(scene.poll(), Action::Send(asked));
    assert_eq!(scene.poll(), Action::Wait(Some(REQUEST_TIMEOUT)));
    scene.now = REQUEST_TIMEOUT;
    let Action::Answer(1, Err(RegistryLinkError::TimedOut { after, .. })) = scene.poll() else {
        panic!("it waits on");
    };
    assert_eq!(after, REQUEST_TIMEOUT);
}
