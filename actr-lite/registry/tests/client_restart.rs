//! A node's link survives its registry: one that starts late, goes down, or restarts.

#![allow(clippy::unwrap_used)]

use std::{net::TcpListener, time::Duration};

use actr_lite_registry::{Options, Registry, RegistryHandle};
use actr_lite_registry_client::{LinkConfig, LinkState, PublishedContract, RegistryLink, RegistryLinkError};
use actr_lite_wire::{credential::VerifyingKey, error_code::ErrorCode, identity::ActrType, proto::ServiceSpec};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Longer than anything here takes on a busy machine: only a hang meets it.
const HANG: Duration = Duration::from_secs(60);

const REALM: u32 = 33;

const WS_ADDRESS: &str = "ws://127.0.0.1:9/";

struct Node {
    link: RegistryLink,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Node {
    fn new(config: LinkConfig) -> Self {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let link = RegistryLink::spawn(config, &tasks, stop.clone());
        Self { link, tasks, stop }
    }

    /// Every task ends.
    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(HANG, self.tasks.wait()).await.unwrap();
    }

    async fn connected(&self) {
        let mut state = self.link.state();
        let connected = state.wait_for(|state| *state == LinkState::Connected);
        timeout(HANG, connected).await.unwrap().unwrap();
    }
}

fn actr_type() -> ActrType {
    "acme+StreamEchoServer".parse().unwrap()
}

fn config(port: u16) -> LinkConfig {
    let url = format!("ws://127.0.0.1:{port}/signaling/ws").parse().unwrap();
    LinkConfig::new(url, "acme+StreamEchoClient".parse().unwrap(), REALM)
}

fn server_config(port: u16) -> LinkConfig {
    LinkConfig {
        actr_type: actr_type(),
        service_spec: Some(ServiceSpec {
            name: "stream_server".into(),
            fingerprint: "service_semantic:1".into(),
            ..ServiceSpec::default()
        }),
        ws_address: Some(WS_ADDRESS.into()),
        ..config(port)
    }
}

async fn registry(port: u16) -> RegistryHandle {
    registry_with(port, Options::default()).await
}

async fn registry_with(port: u16, options: Options) -> RegistryHandle {
    let address = format!("127.0.0.1:{port}");
    Registry::bind(&address, options).await.unwrap().spawn()
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_registered_node_is_found_with_its_address_and_contract() {
    let registry = registry(0).await;
    let port = registry.local_addr().port();
    let (server, client) = (Node::new(server_config(port)), Node::new(config(port)));
    let server_id = server.link.connected().await.unwrap().actor_id;

    let found = client.link.candidates(&actr_type(), 3, "").await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, server_id);
    assert_eq!(found[0].ws_address.as_deref(), Some(WS_ADDRESS));
    assert_eq!(
        found[0].contract,
        PublishedContract::Fingerprint("service_semantic:1".into())
    );

    let spec = client.link.service_spec(&actr_type().to_string(), None).await.unwrap();
    assert_eq!(spec.fingerprint, "service_semantic:1");
    let none = client.link.candidates(&"acme+Nobody".parse().unwrap(), 3, "").await;
    assert_eq!(none, Ok(Vec::new()));
    let refused = client.link.service_spec("acme:Nobody:1.0.0", None).await;
    assert!(
        matches!(
            refused,
            Err(RegistryLinkError::Refused {
                code: ErrorCode::NotFound,
                ..
            })
        ),
        "{refused:?}"
    );

    server.link.unregister("test over").await.unwrap();
    assert_eq!(client.link.candidates(&actr_type(), 3, "").await, Ok(Vec::new()));
    server.end().await;
    client.end().await;
    registry.shutdown().await;
}

#[tokio::test]
async fn after_a_registry_restart_a_node_has_a_new_identity() {
    let first = registry(0).await;
    let port = first.local_addr().port();
    let (server, client) = (Node::new(server_config(port)), Node::new(config(port)));
    server.connected().await;
    client.connected().await;
    let old = server.link.identity().unwrap();
    let mut identities = server.link.identity_changes();
    identities.mark_unchanged();

    first.shutdown().await;
    let second = registry(port).await;
    timeout(HANG, identities.changed()).await.unwrap().unwrap();
    let new = server.link.identity().unwrap();
    assert_ne!(new.actor_id, old.actor_id);
    assert_ne!(new.signing_key, old.signing_key);

    // The client's request waits for its own link.
    let found = client.link.candidates(&actr_type(), 3, "").await.unwrap();
    assert_eq!(
        found.iter().map(|candidate| &candidate.id).collect::<Vec<_>>(),
        [&new.actor_id]
    );
    assert_eq!(
        client.link.signing_key(new.signing_key.key_id()).await,
        Ok(new.signing_key)
    );
    server.end().await;
    client.end().await;
    second.shutdown().await;
}

#[tokio::test]
async fn a_node_that_was_first_finds_the_registry_when_it_comes() {
    let port = free_port();
    let node = Node::new(config(port));
    let mut state = node.link.state();
    let failed = state.wait_for(|state| state.last_error().is_some());
    timeout(HANG, failed).await.unwrap().unwrap();
    let error = node.link.last_error().unwrap().to_string();
    assert!(
        error.contains("connection refused") && error.contains(&port.to_string()),
        "{error}"
    );

    let registry = registry(port).await;
    let identity = timeout(HANG, node.link.connected()).await.unwrap().unwrap();
    assert_eq!(identity.actor_id.realm_id(), REALM);
    node.connected().await;
    assert_eq!(node.link.last_error(), None);
    node.end().await;
    registry.shutdown().await;
}

#[tokio::test]
async fn a_signing_key_verifies_another_nodes_credential() {
    let registry = registry(0).await;
    let port = registry.local_addr().port();
    let (server, client) = (Node::new(server_config(port)), Node::new(config(port)));
    let shown = client.link.connected().await.unwrap();
    server.link.connected().await.unwrap();
    let key: VerifyingKey = server.link.signing_key(shown.credential.key_id()).await.unwrap();
    let unix_now = shown.credential_expires_at - 1;
    assert!(key.verify(&shown.credential, &shown.actor_id, unix_now).is_ok());

    let unknown = key.key_id().wrapping_add(1);
    let refused = server.link.signing_key(unknown).await;
    assert!(
        matches!(
            refused,
            Err(RegistryLinkError::Refused {
                code: ErrorCode::NotFound,
                ..
            })
        ),
        "{refused:?}"
    );
    server.end().await;
    client.end().await;
    registry.shutdown().await;
}

#[tokio::test]
async fn a_renewed_credential_keeps_its_id() {
    let options = Options {
        credential_lifetime: Duration::from_secs(2),
        ..Options::default()
    };
    let registry = registry_with(0, options).await;
    let node = Node::new(config(registry.local_addr().port()));
    node.connected().await;
    let first = node.link.identity().unwrap();
    let mut identities = node.link.identity_changes();
    identities.mark_unchanged();
    timeout(HANG, identities.changed()).await.unwrap().unwrap();
    let renewed = node.link.identity().unwrap();
    assert_eq!(renewed.actor_id, first.actor_id);
    assert!(renewed.credential_expires_at > first.credential_expires_at);
    assert_eq!(*node.link.state().borrow(), LinkState::Connected);
    node.end().await;
    registry.shutdown().await;
}
