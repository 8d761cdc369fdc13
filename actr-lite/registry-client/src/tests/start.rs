use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::scripted_registry::{ScriptedRegistry, answer, next_request, pong};
use crate::{error::RegistryLinkError, state::LinkState};

const LIFETIME: Duration = Duration::from_secs(3600);

/// What no registry answers to an upgrade.
const NO_REGISTRY: &str = "404 Not Found";

#[tokio::test(start_paused = true)]
async fn a_start_waits_until_the_registry_answers_the_node() {
    let mut registry = ScriptedRegistry::new(true);
    let id = registry.register(LIFETIME).await;
    let early = Duration::from_secs(1);
    assert!(
        timeout(early, registry.link.connected()).await.is_err(),
        "registered only"
    );
    let mut socket = registry.open().await;
    assert!(
        timeout(early, registry.link.connected()).await.is_err(),
        "no answer yet"
    );
    let (request, _) = next_request(&mut socket).await;
    answer(&mut socket, request, pong()).await;
    assert_eq!(registry.link.connected().await.unwrap().actor_id, id);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_registry_ends_the_start_at_once() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    registry.refuse_to_open(NO_REGISTRY).await;
    let refused = Instant::now();
    let error = registry.link.connected().await.unwrap_err();
    assert_eq!(refused.elapsed(), Duration::ZERO);
    assert!(matches!(error, RegistryLinkError::Unusable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("404 Not Found (forgotten): no registry answers so"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_would_end_a_start_is_retried_in_an_outage() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let socket = registry.open_and_confirm().await;
    registry.link.connected().await.unwrap();
    drop(socket);
    for _ in 0..10 {
        registry.refuse_to_open(NO_REGISTRY).await;
    }
    let _socket = registry.open_and_confirm().await;
    let mut state = registry.link.state();
    state.wait_for(|state| *state == LinkState::Connected).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_slow_name_resolution_is_told_with_its_time() {
    let registry = ScriptedRegistry::new(true);
    registry.resolve_slowly();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(registry.link.standing(), "still resolving registry.test after 3.0 s");
    let error = registry.link.signing_key(1).await.unwrap_err().to_string();
    assert!(error.ends_with("still resolving registry.test after 8.0 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_start_outlasts_a_registry_that_forgets_the_node() {
    let mut registry = ScriptedRegistry::new(true);
    let link = registry.link.clone();
    let waiting = tokio::spawn(async move { link.connected().await });
    registry.register(LIFETIME).await;
    registry.refuse_to_open("401 Unauthorized").await;
    let id = registry.register(LIFETIME).await;
    let _socket = registry.open_and_confirm().await;
    assert_eq!(waiting.await.unwrap().unwrap().actor_id, id);
}

#[tokio::test(start_paused = true)]
async fn a_start_ends_when_two_registries_share_an_address() {
    let mut registry = ScriptedRegistry::new(true);
    for _ in 0..3 {
        registry.register(LIFETIME).await;
        registry.refuse_to_open("401 Unauthorized").await;
    }
    let told = timeout(Duration::from_secs(60), registry.link.connected()).await;
    let error = told.expect("a start that ends").unwrap_err();
    assert!(matches!(error, RegistryLinkError::Mismatch { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_full_registry_is_not_taken_for_two() {
    let mut registry = ScriptedRegistry::new(true);
    let link = registry.link.clone();
    let waiting = tokio::spawn(async move { link.connected().await });
    for _ in 0..5 {
        registry.register(LIFETIME).await;
        registry.refuse_to_open("503 Service Unavailable").await;
        registry.refuse_to_open("401 Unauthorized").await;
    }
    let id = registry.register(LIFETIME).await;
    let _socket = registry.open_and_confirm().await;
    assert_eq!(waiting.await.unwrap().unwrap().actor_id, id);
    assert!(registry.tries().len() < 20, "{:?}", registry.tries());
}
