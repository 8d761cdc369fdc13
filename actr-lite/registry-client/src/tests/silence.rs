use std::time::Duration;

use actr_lite_wire::proto::{
    GetSigningKeyResponse, actr_to_signaling::Payload as RequestPayload, signaling_to_actr::Payload,
};
use tokio::time::Instant;

use super::scripted_registry::{ScriptedRegistry, answer, answer_heartbeats, next_question, next_request};
use crate::{
    error::RegistryLinkError,
    request::{REQUEST_TIMEOUT, UNREGISTER_TIMEOUT},
    state::LinkState,
};

const LIFETIME: Duration = Duration::from_secs(3600);

fn between(from: f64, duration: Duration, to: f64) -> bool {
    (from..=to).contains(&duration.as_secs_f64())
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_times_out_after_5_seconds() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let _socket = registry.open().await;
    let link = registry.link.clone();
    let target = "acme+Echo".parse().unwrap();
    let started = Instant::now();
    let error = link.candidates(&target, 1, "").await.unwrap_err();
    assert!(matches!(error, RegistryLinkError::TimedOut { .. }), "{error:?}");
    assert!(between(5.0, started.elapsed(), 5.1));
    assert_eq!(link.waiting_requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_silent_for_ten_seconds_is_opened_again() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let (id, _) = next_request(&mut socket).await;
    answer(&mut socket, id, super::scripted_registry::pong()).await;
    let started = Instant::now();
    let _second = registry.open().await;
    assert!(between(10.0, started.elapsed(), 10.2), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_takes_nothing_holds_up_no_timeout() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let _socket = registry.open_and_confirm().await;
    let link = registry.link.clone();
    let started = Instant::now();
    let long = "a contract's name ".repeat(100_000);
    let error = link.service_spec(&long, None).await.unwrap_err();
    assert!(matches!(error, RegistryLinkError::TimedOut { .. }), "{error:?}");
    assert!(between(5.0, started.elapsed(), 5.1), "{:?}", started.elapsed());
    let _second = registry.open().await;
    assert!(between(10.0, started.elapsed(), 10.2), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_heartbeats_are_answered_is_kept() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    tokio::select! {
        () = answer_heartbeats(&mut socket) => {}
        _ = registry.accept() => panic!("another connection"),
        () = tokio::time::sleep(Duration::from_secs(600)) => {}
    }
    assert_eq!(*registry.link.state().borrow(), LinkState::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_accepts_and_says_nothing_is_told_of() {
    let mut registry = ScriptedRegistry::new(true);
    let _silent = registry.accept().await;
    let link = registry.link.clone();
    let error = link.signing_key(1).await.unwrap_err();
    let RegistryLinkError::Unreachable { cause, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(cause, "no answer to the registration within 4 s");
    let state = link.state().borrow().clone();
    assert!(matches!(state.last_error(), Some(RegistryLinkError::TimedOut { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_request_while_the_registry_is_away_says_why_it_is() {
    let registry = ScriptedRegistry::new(false);
    let started = Instant::now();
    let error = registry.link.service_spec("acme:Echo:1.0.0", None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registry at ws://registry.test:8081/signaling/ws could not be reached: connecting to 192.0.2.1:8081 \
         failed after 0.0 s: connection refused"
    );
    assert_eq!(started.elapsed().as_secs(), REQUEST_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_request_in_an_outage_waits_and_says_why_it_is_down() {
    let mut registry = ScriptedRegistry::new(true);
    let id = registry.register(LIFETIME).await;
    let socket = registry.open().await;
    registry.go_down();
    drop(socket);
    let link = registry.link.clone();
    let started = Instant::now();
    let error = link.signing_key(1).await.unwrap_err();
    let RegistryLinkError::Unreachable { cause, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        cause,
        "connecting to 192.0.2.1:8081 failed after 0.0 s: connection refused"
    );
    assert_eq!(started.elapsed().as_secs(), REQUEST_TIMEOUT.as_secs());
    assert!(matches!(*link.state().borrow(), LinkState::Reconnecting { .. }));
    assert_eq!(link.identity().unwrap().actor_id, id, "the identity stays");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_is_taken_back() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let link = registry.link.clone();
    let (id, _) = tokio::select! {
        _ = link.signing_key(1) => panic!("answered"),
        question = next_question(&mut socket) => question,
    };
    assert_eq!(link.waiting_requests(), 0);

    // Its late answer does no harm.
    answer(
        &mut socket,
        id,
        Payload::GetSigningKey(GetSigningKeyResponse::default()),
    )
    .await;
    tokio::select! {
        _ = link.signing_key(2) => panic!("answered"),
        _ = next_question(&mut socket) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_lost_its_connection_is_asked_again() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let key = actr_lite_wire::credential::SigningKey::new(9, &[9; 32]).verifying_key();
    let response = GetSigningKeyResponse {
        key_id: 9,
        pubkey: key.to_bytes().to_vec().into(),
    };
    let link = registry.link.clone();
    let script = async {
        next_question(&mut socket).await;
        drop(socket);
        let mut socket = registry.open().await;
        let (id, question) = next_question(&mut socket).await;
        assert!(matches!(question.payload, Some(RequestPayload::GetSigningKey(_))));
        answer(&mut socket, id, Payload::GetSigningKey(response)).await;
        answer_heartbeats(&mut socket).await;
    };
    let answered = tokio::select! {
        answered = link.signing_key(9) => answered,
        () = script => unreachable!(),
    };
    assert_eq!(answered, Ok(key.clone()));
    assert_eq!(link.known_signing_key(9), Some(key), "it is not asked for twice");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_number_is_not_taken() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let link = registry.link.clone();
    let script = async {
        let (id, _) = next_question(&mut socket).await;
        let response = GetSigningKeyResponse {
            key_id: 8,
            pubkey: vec![0; 32].into(),
        };
        answer(&mut socket, id, Payload::GetSigningKey(response)).await;
    };
    let (answered, ()) = tokio::join!(link.signing_key(9), script);
    assert!(
        matches!(answered, Err(RegistryLinkError::Malformed { .. })),
        "{answered:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn leaving_a_silent_registry_takes_a_second_and_ends_it() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let link = registry.link.clone();
    let started = Instant::now();
    let (left, _) = tokio::join!(link.unregister("done"), next_question(&mut socket));
    assert!(matches!(left, Err(RegistryLinkError::TimedOut { .. })), "{left:?}");
    assert_eq!(started.elapsed().as_secs(), UNREGISTER_TIMEOUT.as_secs());
    let mut state = link.state();
    state.wait_for(|state| *state == LinkState::Stopped).await.unwrap();
    assert_eq!(link.signing_key(1).await, Err(RegistryLinkError::Stopped));
}
