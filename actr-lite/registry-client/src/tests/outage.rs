use std::time::Duration;

use actr_lite_wire::{error_code::ErrorCode, proto::signaling_to_actr::Payload};
use tokio::time::{Instant, sleep};

use super::scripted_registry::{ScriptedRegistry, answer, error, is_heartbeat, next_request, pong};
use crate::{error::RegistryLinkError, state::LinkState};

const LIFETIME: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn the_waits_between_tries_grow_to_a_second_and_no_more() {
    let registry = ScriptedRegistry::new(false);
    sleep(Duration::from_secs(30)).await;
    let tries = registry.tries();
    let waits: Vec<Duration> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] <= Duration::from_millis(102), "{waits:?}");
    // A virtual clock counts whole milliseconds, rounded up.
    assert!(
        waits.iter().all(|wait| *wait <= Duration::from_millis(1002)),
        "{waits:?}"
    );
    assert!((30..=70).contains(&tries.len()), "{}", tries.len());
    let state = registry.link.state().borrow().clone();
    assert!(matches!(
        state,
        LinkState::Registering {
            last_error: Some(RegistryLinkError::Unreachable { .. })
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_refused_registration_is_told_in_its_words_and_retried() {
    let mut registry = ScriptedRegistry::new(true);
    let connection = registry.accept().await;
    registry
        .refuse(connection, "/ais/register", ErrorCode::PermissionDenied)
        .await;
    let refused = Instant::now();
    assert_eq!(
        registry.link.connected().await.unwrap_err().to_string(),
        "the registry refused the registration: as the script says (PermissionDenied)"
    );
    assert_eq!(refused.elapsed(), Duration::ZERO, "whoever waits is told at once");
    let id = registry.register(LIFETIME).await;
    assert!(refused.elapsed() >= Duration::from_secs(30), "only after a long pause");
    let mut identity = registry.link.identity_changes();
    let identity = identity.wait_for(Option::is_some).await.unwrap().clone();
    assert_eq!(identity.unwrap().actor_id, id);
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_is_refused_for_now_is_waited_for() {
    let mut registry = ScriptedRegistry::new(true);
    let link = registry.link.clone();
    let waiting = tokio::spawn(async move { link.connected().await });
    let connection = registry.accept().await;
    registry
        .refuse(connection, "/ais/register", ErrorCode::Unavailable)
        .await;
    let id = registry.register(LIFETIME).await;
    let _socket = registry.open_and_confirm().await;
    assert_eq!(waiting.await.unwrap().unwrap().actor_id, id);
}

#[tokio::test(start_paused = true)]
async fn a_node_refused_after_an_outage_registers_again_at_once() {
    let mut registry = ScriptedRegistry::new(true);
    let first = registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let (id, _) = next_request(&mut socket).await;
    answer(&mut socket, id, pong()).await;
    drop(socket);

    registry.refuse_to_open("401 Unauthorized").await;
    let refused = Instant::now();
    let second = registry.register(LIFETIME).await;
    assert_eq!(refused.elapsed(), Duration::ZERO);
    assert_ne!(first, second);
    let _socket = registry.open_and_confirm().await;
    let mut state = registry.link.state();
    state.wait_for(|state| *state == LinkState::Connected).await.unwrap();
    assert_eq!(registry.link.identity().unwrap().actor_id, second);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_each_registration_leaves_unknown_backs_off() {
    let mut registry = ScriptedRegistry::new(true);
    let started = Instant::now();
    for _ in 0..20 {
        registry.register(LIFETIME).await;
        registry.refuse_to_open("401 Unauthorized").await;
    }
    assert!(started.elapsed() > Duration::from_secs(180), "{:?}", started.elapsed());
    let mut state = registry.link.state();
    let is_mismatch = |state: &LinkState| matches!(state.last_error(), Some(RegistryLinkError::Mismatch { .. }));
    let error = state.wait_for(is_mismatch).await.unwrap().last_error().unwrap().clone();
    assert!(
        error
            .to_string()
            .contains("there is more than one registry behind that address"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_the_registry_has_forgotten_registers_again() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let (id, request) = next_request(&mut socket).await;
    assert!(is_heartbeat(&request));
    answer(&mut socket, id, Payload::Error(error(ErrorCode::NotFound))).await;
    let second = registry.register(LIFETIME).await;
    let mut identity = registry.link.identity_changes();
    let is_second = |identity: &Option<_>| {
        identity
            .as_ref()
            .is_some_and(|identity: &crate::Identity| identity.actor_id == second)
    };
    identity.wait_for(is_second).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_fails_and_leaves_the_connection_open() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let (id, _) = next_request(&mut socket).await;
    answer(&mut socket, id, pong()).await;
    let link = registry.link.clone();
    let started = Instant::now();
    let script = async {
        let (id, _) = super::scripted_registry::next_question(&mut socket).await;
        answer(&mut socket, id, Payload::Error(error(ErrorCode::NotFound))).await;
        // A heartbeat asks whether the node itself is what was not found.
        let (id, request) = next_request(&mut socket).await;
        assert!(is_heartbeat(&request));
        answer(&mut socket, id, pong()).await;
    };
    let (answered, ()) = tokio::join!(link.signing_key(1), script);
    let refused = matches!(
        &answered,
        Err(RegistryLinkError::Refused {
            code: ErrorCode::NotFound,
            ..
        })
    );
    assert!(refused, "{answered:?}");
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(*link.state().borrow(), LinkState::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_link_ends_with_its_last_handle() {
    let registry = ScriptedRegistry::new(false);
    let mut state = registry.link.state();
    drop(registry);
    state.wait_for(|state| *state == LinkState::Stopped).await.unwrap();
}
