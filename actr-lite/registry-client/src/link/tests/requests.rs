use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::ActrId,
    proto::{
        ActrRelay, GetSigningKeyResponse, RouteCandidatesResponse, SignalingEnvelope,
        actr_relay::Payload as RelayPayload, route_candidates_response, signaling_envelope::Flow,
        signaling_to_actr::Payload,
    },
};
use bytes::Bytes;
use prost::Message as _;

use super::{Scene, refusal, reply};
use crate::{
    error::RegistryLinkError,
    link::{Action, Event},
    relayed::Relayed,
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

#[test]
fn what_nodes_say_to_each_other_goes_both_ways() {
    let mut scene = Scene::open(1);
    let other = ActrId::new(33, 2, "acme+Echo".parse().unwrap());
    let payload = || RelayPayload::IceCandidate(Bytes::from_static(b"candidate"));
    scene.link.relay(other.clone(), payload());
    let Action::Send(sent) = scene.poll() else {
        panic!("nothing is said");
    };
    let Some(Flow::ActrRelay(relay)) = &sent.flow else {
        panic!("no relay");
    };
    assert_eq!(relay.payload, Some(payload()));
    assert_eq!(relay.target, (&other).into());

    let passed_on = SignalingEnvelope {
        flow: Some(Flow::ActrRelay(ActrRelay {
            source: (&other).into(),
            ..relay.clone()
        })),
        ..*sent.clone()
    };
    scene.handle(Event::Received(passed_on.encode_to_vec().into()));
    let (from, payload) = (other.clone(), payload());
    assert_eq!(scene.poll(), Action::Relay(Relayed::Said { from, payload }));

    scene.handle(Event::Received(reply(&sent, Err(refusal(ErrorCode::NotFound)))));
    let reason = refusal(ErrorCode::NotFound).message.into();
    assert_eq!(scene.poll(), Action::Relay(Relayed::Refused { to: other, reason }));
}
