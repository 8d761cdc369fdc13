use std::{pin::pin, time::Duration};

use actr_lite_wire::{error_code::ErrorCode, proto::signaling_to_actr::Payload};
use tokio::time::{Instant, sleep};

use super::scripted_registry::{ScriptedRegistry, Socket, answer, answer_heartbeats, error, next_question};
use crate::{error::RegistryLinkError, link::OLD_KEY_TIMEOUT, state::LinkState};

const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A registry whose key was shown more than an hour ago.
async fn after_an_hour() -> (ScriptedRegistry, Socket) {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    tokio::select! {
        () = answer_heartbeats(&mut socket) => {}
        () = sleep(Duration::from_secs(3700)) => {}
    }
    assert_eq!(*registry.link.state().borrow(), LinkState::Connected);
    (registry, socket)
}

#[tokio::test(start_paused = true)]
async fn an_old_key_is_used_at_once_while_the_registry_is_away() {
    let (registry, socket) = after_an_hour().await;
    registry.go_down();
    drop(socket);
    let mut state = registry.link.state();
    state.wait_for(|state| *state != LinkState::Connected).await.unwrap();
    let started = Instant::now();
    let key = registry.key.verifying_key();
    assert_eq!(registry.link.known_signing_key(7), Some(key.clone()));
    assert_eq!(registry.link.signing_key(7).await, Ok(key));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_old_key_does_as_soon_as_the_registry_goes_away() {
    let (registry, mut socket) = after_an_hour().await;
    let link = registry.link.clone();
    let asked = tokio::spawn(async move { link.signing_key(7).await });
    next_question(&mut socket).await;
    registry.go_down();
    let started = Instant::now();
    drop(socket);
    assert_eq!(asked.await.unwrap(), Ok(registry.key.verifying_key()));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_old_key_does_if_the_registry_says_nothing() {
    let (registry, _socket) = after_an_hour().await;
    let started = Instant::now();
    assert_eq!(registry.link.signing_key(7).await, Ok(registry.key.verifying_key()));
    assert_eq!(started.elapsed(), OLD_KEY_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn an_old_key_does_if_the_registry_refuses_for_now() {
    for status in [401, 429, 500, 503] {
        let (registry, mut socket) = after_an_hour().await;
        let link = registry.link.clone();
        let mut asked = pin!(link.signing_key(7));
        let key = loop {
            tokio::select! {
                key = &mut asked => break key,
                (id, _) = next_question(&mut socket) => {
                    answer(&mut socket, id, Payload::Error(error(ErrorCode::Other(status)))).await;
                }
            }
        };
        assert_eq!(key, Ok(registry.key.verifying_key()), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_key_that_the_registry_has_given_up_is_not_used() {
    let (mut registry, mut socket) = after_an_hour().await;
    let link = registry.link.clone();
    let asked = tokio::spawn(async move { link.signing_key(7).await });
    let (id, _) = next_question(&mut socket).await;
    answer(&mut socket, id, Payload::Error(error(ErrorCode::NotFound))).await;
    let refused = asked.await.unwrap();
    assert!(matches!(refused, Err(RegistryLinkError::Refused { .. })), "{refused:?}");
    registry.go_down();
    drop(socket);
    assert_eq!(registry.link.known_signing_key(7), None);
    drop(registry.accept());
}
