use std::time::Duration;

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::ActrId,
    proto::{UnregisterRequest, actr_to_signaling::Payload as RequestPayload},
};
use tokio::{io::DuplexStream, time::Instant};

use super::scripted_registry::{
    ScriptedRegistry, Socket, answer, answer_heartbeats, next_question, next_request, pong,
};
use crate::{identity::Identity, registry_link::RegistryLink, state::LinkState};

const LIFETIME: Duration = Duration::from_secs(1000);

/// The next connection that is not the one of `socket`, whose heartbeats are answered meanwhile.
async fn accept(registry: &mut ScriptedRegistry, socket: &mut Socket) -> DuplexStream {
    tokio::select! {
        connection = registry.accept() => connection,
        () = answer_heartbeats(socket) => unreachable!(),
    }
}

/// The identity behind `first`: the same node with another credential, whose connection goes on.
async fn renewed(link: &RegistryLink, first: &Identity) -> Identity {
    let mut changes = link.identity_changes();
    let changed = changes.wait_for(|identity| identity.as_ref() != Some(first)).await;
    let renewed = changed.unwrap().clone().unwrap();
    assert_eq!(renewed.actor_id, first.actor_id);
    assert_ne!(renewed.credential, first.credential);
    assert_eq!(*link.state().borrow(), LinkState::Connected);
    renewed
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_renewed_in_time_and_the_connection_goes_on() {
    let mut registry = ScriptedRegistry::new(true);
    let started = Instant::now();
    let id = registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let link = registry.link.clone();
    let first = registry.identity().await;

    let connection = accept(&mut registry, &mut socket).await;
    let waited = started.elapsed().as_secs();
    assert!((790..=801).contains(&waited), "{waited} s");
    registry.grant(connection, "/ais/renew", &id, 2 * LIFETIME).await;
    let renewed = renewed(&link, &first).await;

    // A heartbeat with the old credential may be on its way already.
    let (number, _) = next_request(&mut socket).await;
    answer(&mut socket, number, pong()).await;
    let (_, heartbeat) = next_request(&mut socket).await;
    assert_eq!(heartbeat.credential, renewed.credential.into());
    assert_eq!(*link.state().borrow(), LinkState::Connected);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_for_now_is_tried_again() {
    let mut registry = ScriptedRegistry::new(true);
    let id = registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    drop(accept(&mut registry, &mut socket).await);
    let connection = accept(&mut registry, &mut socket).await;
    registry.refuse(connection, "/ais/renew", ErrorCode::Unavailable).await;
    let connection = accept(&mut registry, &mut socket).await;
    registry.grant(connection, "/ais/renew", &id, LIFETIME).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_renewal_is_refused_gives_up_its_old_id() {
    let mut registry = ScriptedRegistry::new(true);
    let first = registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let connection = accept(&mut registry, &mut socket).await;
    registry.refuse(connection, "/ais/renew", ErrorCode::Other(401)).await;
    let connection = accept(&mut registry, &mut socket).await;
    registry.refuse(connection, "/ais/reissue", ErrorCode::Other(401)).await;

    let connection = accept(&mut registry, &mut socket).await;
    let second = ActrId::new(33, 99, first.actr_type().clone());
    registry.grant(connection, "/ais/register", &second, LIFETIME).await;
    let (_, request) = next_question(&mut socket).await;
    let Some(RequestPayload::Unregister(UnregisterRequest { actr_id, .. })) = request.payload else {
        panic!("{request:?}");
    };
    assert_eq!(ActrId::try_from(&actr_id), Ok(first));
    let mut socket = registry.open().await;
    let (_, request) = next_request(&mut socket).await;
    assert_eq!(ActrId::try_from(&request.source).as_ref(), Ok(&second));
    assert_eq!(registry.link.identity().unwrap().actor_id, second);
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_renewal_is_refused_keeps_its_id_by_a_reissue() {
    let mut registry = ScriptedRegistry::new(true);
    let id = registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let first = registry.identity().await;
    let connection = accept(&mut registry, &mut socket).await;
    registry.refuse(connection, "/ais/renew", ErrorCode::Other(401)).await;
    let connection = accept(&mut registry, &mut socket).await;
    registry.grant(connection, "/ais/reissue", &id, 2 * LIFETIME).await;
    renewed(&registry.link, &first).await;
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_reissues_nothing_registers_again() {
    let mut registry = ScriptedRegistry::new(true);
    let first = registry.register(LIFETIME).await;
    let mut socket = registry.open().await;
    let connection = accept(&mut registry, &mut socket).await;
    registry.refuse(connection, "/ais/renew", ErrorCode::Other(401)).await;
    let connection = accept(&mut registry, &mut socket).await;
    let head = "404 Not Found\r\ncontent-type: text/plain";
    registry
        .refuse_as(connection, "/ais/reissue", head, ErrorCode::NotFound)
        .await;
    let connection = accept(&mut registry, &mut socket).await;
    let second = ActrId::new(33, 99, first.actr_type().clone());
    registry.grant(connection, "/ais/register", &second, LIFETIME).await;
    drop(socket);
    let _socket = registry.open().await;
    assert_eq!(registry.link.identity().unwrap().actor_id, second);
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_printed_does_not_show_what_proves_it() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(LIFETIME).await;
    let identity = registry.identity().await;
    let printed = format!("{identity:?}");
    assert!(printed.contains(&identity.actor_id.to_string()), "{printed}");
    assert!(!printed.contains("signature"), "{printed}");
    assert!(
        !printed.contains(&format!("{:?}", identity.credential.signature())),
        "{printed}"
    );
}
