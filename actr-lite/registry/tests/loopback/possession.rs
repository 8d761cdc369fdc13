//! Credentials and tokens of a node that has registered a key are of use to that node alone.

use std::net::SocketAddr;

use actr_lite_registry::Options;
use actr_lite_wire::{
    error_code::ErrorCode,
    possession::{Audience, PROOF_HEADER, Proof, Prover},
    proto::RegisterRequest,
};
use hyper::StatusCode;
use prost::Message as _;

use crate::{
    client::{CLIENT, ais, connect_with, renew, renew_with, request, start},
    holder::Holder,
};

impl Holder {
    /// What a signaling connection with this proof is told.
    async fn refusal(&self, address: SocketAddr, prove: impl FnOnce(&[u8]) -> Option<Proof>) -> String {
        let refused = connect_with(address, &self.granted, prove).await.err();
        let (status, text) = refused.expect("it was let in");
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        text
    }
}

#[tokio::test]
async fn who_knows_a_credential_cannot_take_over_signaling() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let node = Holder::register(address).await;
    let mut seen = None;
    let prove = |key: &[u8]| {
        seen = node.prove(Audience::Signaling, key);
        seen.clone()
    };
    let mut own = connect_with(address, &node.granted, prove).await.unwrap();

    let text = node.refusal(address, |_| None).await;
    assert!(text.contains(PROOF_HEADER), "{text}");
    let to_node = Audience::Node("1@1/acme:Server:1.0.0".parse().unwrap());
    for audience in [to_node, Audience::Renewal] {
        let text = node.refusal(address, |key| node.prove(audience.clone(), key)).await;
        assert!(text.contains(&format!("is for {audience}")), "{text}");
    }
    let text = node.refusal(address, |_| seen).await;
    assert!(text.contains("not for this request"), "{text}");
    let forger = Prover::new(&[4; 32]);
    let forge = |key: &[u8]| Some(forger.prove(&node.id(), Audience::Signaling, key));
    let text = node.refusal(address, forge).await;
    assert!(text.contains("not by the credential's holder"), "{text}");

    assert!(own.discover(CLIENT).await.is_ok(), "its connection was not replaced");
    drop(own);
    registry.shutdown().await;
}

#[tokio::test]
async fn a_proof_is_taken_once() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let node = Holder::register(address).await;
    let twin = Prover::new(&[3; 32]);
    for is_taken in [true, false] {
        // Both have the same number.
        let prover = if is_taken { &node.prover } else { &twin };
        let prove = |key: &[u8]| Some(prover.prove(&node.id(), Audience::Signaling, key));
        let connected = connect_with(address, &node.granted, prove).await;
        assert_eq!(connected.is_ok(), is_taken);
        if let Err((_, text)) = connected {
            assert!(text.contains("used before"), "{text}");
        }
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn a_token_without_its_key_renews_nothing_and_is_not_used_up() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let node = Holder::register(address).await;
    let error = renew(address, &node.granted).await.unwrap_err();
    assert_eq!(error.code, 401, "official nodes read it as an HTTP status");
    assert!(error.message.contains(PROOF_HEADER), "{}", error.message);
    let for_signaling = |token: &[u8]| node.prove(Audience::Signaling, token);
    assert!(renew_with(address, &node.granted, for_signaling).await.is_err());
    let another_token = |_: &[u8]| node.prove(Audience::Renewal, b"another");
    assert!(renew_with(address, &node.granted, another_token).await.is_err());

    let prove = |token: &[u8]| node.prove(Audience::Renewal, token);
    let renewed = renew_with(address, &node.granted, prove).await.unwrap();
    let credential = actr_lite_wire::credential::Credential::from(renewed.credential);
    assert_eq!(credential.claimed_holder(), Some(node.prover.holder_key()));
    registry.shutdown().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused_by_name() {
    let registry = start(Options::default()).await;
    let request = RegisterRequest {
        holder_key: Some(vec![7; 31].into()),
        ..request(1, CLIENT)
    };
    let error = ais(registry.local_addr(), "/ais/register", request.encode_to_vec()).await;
    let error = error.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument.number());
    assert!(error.message.contains("holder_key"), "{}", error.message);
    registry.shutdown().await;
}
