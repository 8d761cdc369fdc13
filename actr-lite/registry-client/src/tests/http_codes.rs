//! A registry whose refusals have the status codes of HTTP, as those of actrix.

use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    proto::{ActrToSignaling, GetSigningKeyResponse, signaling_to_actr::Payload},
};
use tokio::time::{Instant, sleep, timeout};

use super::scripted_registry::{
    HEARTBEAT_INTERVAL, ScriptedRegistry, Socket, answer, answer_heartbeats, error, is_heartbeat, next_question,
    next_request, pong, say_too_many,
};
use crate::{error::RegistryLinkError, request::REQUEST_TIMEOUT, state::LinkState};

const LIFETIME: Duration = Duration::from_secs(1000);

fn http(status: u32) -> ErrorCode {
    ErrorCode::Other(status)
}

/// The next heartbeat gets this refusal.
async fn refuse_heartbeat(socket: &mut Socket, status: u32) {
    let (number, request) = next_request(socket).await;
    assert!(is_heartbeat(&request));
    answer(socket, number, Payload::Error(error(http(status)))).await;
}

/// A question that is asked again while there is time for it.
async fn asked_again(socket: &mut Socket) -> (String, ActrToSignaling) {
    let question = timeout(REQUEST_TIMEOUT, next_question(socket)).await;
    question.expect("a question that is asked again")
}

fn key(registry: &ScriptedRegistry, key_id: u32) -> Payload {
    let pubkey = registry.key.verifying_key().to_bytes().to_vec().into();
    Payload::GetSigningKey(GetSigningKeyResponse { key_id, pubkey })
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_answered_401_is_renewed_and_sent_at_once() {
    let mut registry = ScriptedRegistry::new(true);
    let id = registry.register(LIFETIME).await;
    let mut socket = registry.open_and_confirm().await;
    let first = registry.identity().await;
    refuse_heartbeat(&mut socket, 401).await;
    let refused = Instant::now();
    let connection = registry.accept().await;
    registry.grant(connection, "/ais/renew", &id, 2 * LIFETIME).await;
    let (_, heartbeat) = next_request(&mut socket).await;
    assert!(is_heartbeat(&heartbeat));
    assert_ne!(heartbeat.credential, first.credential.into());
    assert_eq!(refused.elapsed(), Duration::ZERO, "it is found again at once");
    assert_eq!(registry.link.identity().unwrap().actor_id, id);
}

#[tokio::test(start_paused = true)]
async fn a_request_answered_401_is_asked_again_once_renewed() {
    let mut registry = ScriptedRegistry::new(true);
    let id = registry.register(LIFETIME).await;
    let mut socket = registry.open_and_confirm().await;
    let link = registry.link.clone();
    let asking = tokio::spawn(async move { link.signing_key(9).await });
    let (number, _) = next_question(&mut socket).await;
    answer(&mut socket, number, Payload::Error(error(http(401)))).await;
    refuse_heartbeat(&mut socket, 401).await;
    let connection = registry.accept().await;
    registry.grant(connection, "/ais/renew", &id, 2 * LIFETIME).await;
    let (number, question) = asked_again(&mut socket).await;
    let renewed = registry.link.identity().unwrap();
    assert_eq!(question.credential, renewed.credential.into());
    answer(&mut socket, number, key(&registry, 9)).await;
    assert!(asking.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_renewed_credential_that_is_refused_too_is_replaced() {
    let mut registry = ScriptedRegistry::new(true);
    let first = registry.register(LIFETIME).await;
    let mut socket = registry.open_and_confirm().await;
    refuse_heartbeat(&mut socket, 401).await;
    let connection = registry.accept().await;
    registry.grant(connection, "/ais/renew", &first, 2 * LIFETIME).await;
    refuse_heartbeat(&mut socket, 401).await;
    let second = registry.register(LIFETIME).await;
    let _socket = registry.open_and_confirm().await;
    assert_eq!(registry.link.connected().await.unwrap().actor_id, second);
}

#[tokio::test(start_paused = true)]
async fn a_registration_refused_for_good_ends_the_start() {
    for status in [400, 401, 403, 404] {
        let mut registry = ScriptedRegistry::new(true);
        let connection = registry.accept().await;
        registry.refuse(connection, "/ais/register", http(status)).await;
        let told = timeout(Duration::from_secs(1), registry.link.connected()).await;
        let error = told.expect("a start that ends").unwrap_err();
        assert!(
            error.to_string().contains("as the script says"),
            "{status} is told in its words: {error}"
        );
        let refused = Instant::now();
        registry.register(LIFETIME).await;
        assert!(refused.elapsed() >= Duration::from_secs(30), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_with_its_status_is_told_in_its_words() {
    let mut registry = ScriptedRegistry::new(true);
    let connection = registry.accept().await;
    let head = "403 Forbidden\r\ncontent-type: application/octet-stream";
    registry.refuse_as(connection, "/ais/register", head, http(403)).await;
    assert_eq!(
        registry.link.connected().await.unwrap_err().to_string(),
        "the registry refused the registration: as the script says (PermissionDenied)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_renewal_refused_for_now_keeps_the_identity() {
    // With the last one the realm is disabled for a while.
    for status in [408, 429, 500, 502, 503, 504, 403] {
        let mut registry = ScriptedRegistry::new(true);
        let id = registry.register(LIFETIME).await;
        let mut socket = registry.open_and_confirm().await;
        for _ in 0..3 {
            let connection = tokio::select! {
                connection = registry.accept() => connection,
                () = answer_heartbeats(&mut socket) => unreachable!(),
            };
            registry.refuse(connection, "/ais/renew", http(status)).await;
        }
        let connection = tokio::select! {
            connection = registry.accept() => connection,
            () = answer_heartbeats(&mut socket) => unreachable!(),
        };
        registry.grant(connection, "/ais/renew", &id, LIFETIME).await;
        assert_eq!(registry.link.identity().unwrap().actor_id, id, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_is_asked_too_often_is_left_alone() {
    let mut registry = ScriptedRegistry::new(true);
    let connection = registry.accept().await;
    let head = "429 Too Many Requests\r\ncontent-type: application/octet-stream\r\nretry-after: 7";
    registry.refuse_as(connection, "/ais/register", head, http(429)).await;
    let refused = Instant::now();
    registry.register(LIFETIME).await;
    let waited = refused.elapsed().as_secs_f64();
    assert!((7.0..7.2).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_answered_403_does_not_end_the_identity() {
    let mut registry = ScriptedRegistry::new(true);
    let id = registry.register(LIFETIME).await;
    let mut socket = registry.open_and_confirm().await;
    let realm_is_disabled = async {
        for _ in 0..10 {
            refuse_heartbeat(&mut socket, 403).await;
        }
        let (number, _) = next_request(&mut socket).await;
        answer(&mut socket, number, pong()).await;
    };
    tokio::select! {
        () = realm_is_disabled => {}
        _ = registry.accept() => panic!("another registration or renewal"),
    }
    assert_eq!(registry.link.identity().unwrap().actor_id, id);
    assert_eq!(*registry.link.state().borrow(), LinkState::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_request_is_asked_again_in_its_time() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open_and_confirm().await;
    let link = registry.link.clone();
    let asking = tokio::spawn(async move { tokio::join!(link.signing_key(8), link.signing_key(9)) });
    let started = Instant::now();
    let (first, _) = next_question(&mut socket).await;
    next_question(&mut socket).await;
    say_too_many(&mut socket).await;
    answer(&mut socket, first, key(&registry, 8)).await;
    let (second, _) = asked_again(&mut socket).await;
    let pause = started.elapsed();
    assert!(pause >= Duration::from_millis(50), "{pause:?}");
    answer(&mut socket, second, key(&registry, 9)).await;
    let (first, second) = asking.await.unwrap();
    assert!(first.is_ok() && second.is_ok(), "the answered one is not asked again");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stays_one_too_many_ends_in_its_time() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open_and_confirm().await;
    let link = registry.link.clone();
    let started = Instant::now();
    let mut questions = 0;
    let refuse_all = async {
        loop {
            next_question(&mut socket).await;
            questions += 1;
            say_too_many(&mut socket).await;
        }
    };
    let answered = tokio::select! {
        answered = link.signing_key(9) => answered,
        () = refuse_all => unreachable!(),
    };
    assert!(
        matches!(answered, Err(RegistryLinkError::TimedOut { .. })),
        "{answered:?}"
    );
    assert_eq!(started.elapsed().as_secs(), 5);
    assert!((5..20).contains(&questions), "{questions}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_heartbeat_is_sent_again_after_a_pause() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open_and_confirm().await;
    next_request(&mut socket).await;
    say_too_many(&mut socket).await;
    let refused = Instant::now();
    for refusal in [429, 503] {
        let (number, request) = next_request(&mut socket).await;
        assert!(is_heartbeat(&request));
        answer(&mut socket, number, Payload::Error(error(http(refusal)))).await;
    }
    let (number, _) = next_request(&mut socket).await;
    answer(&mut socket, number, pong()).await;
    assert_eq!(refused.elapsed().as_secs(), 3, "one a second");
    sleep(HEARTBEAT_INTERVAL / 2).await;
    assert_eq!(*registry.link.state().borrow(), LinkState::Connected);
}
