//! A node whose renewal was refused keeps its id, if it shows all that a registration does.

use std::net::SocketAddr;

use actr_lite_registry::Options;
use actr_lite_wire::{
    possession::{Audience, PROOF_HEADER},
    proto::{ErrorResponse, RegisterRequest, ReissueCredentialRequest, register_response::RegisterOk},
};
use hyper::StatusCode;
use prost::Message as _;

use crate::{
    client::{CLIENT, SERVER, ais, granted, http, post, renew, renew_with, request, start},
    holder::Holder,
};

impl Holder {
    async fn renew(&self, address: SocketAddr) -> Result<RegisterOk, ErrorResponse> {
        renew_with(address, &self.granted, |token| self.prove(Audience::Renewal, token)).await
    }

    /// Asks with this registration, and a proof of the key.
    async fn reissue(&self, address: SocketAddr, registration: &RegisterRequest) -> Result<RegisterOk, ErrorResponse> {
        let message = reissue_request(&self.granted, registration);
        let token = self.granted.renewal_token.as_deref().unwrap();
        let proof = self.prove(Audience::Renewal, token).unwrap();
        let mut request = post("/ais/reissue", message.encode_to_vec());
        let proof = proof.to_header().parse().unwrap();
        request.headers_mut().insert(PROOF_HEADER, proof);
        granted(address, request).await
    }
}

fn reissue_request(granted: &RegisterOk, registration: &RegisterRequest) -> ReissueCredentialRequest {
    ReissueCredentialRequest {
        actr_id: granted.actr_id.clone(),
        registration: registration.encode_to_vec().into(),
        renewal_proof: granted.renewal_token.clone(),
    }
}

#[tokio::test]
async fn a_node_that_lost_its_renewal_keeps_its_id() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let node = Holder::register(address).await;
    // The answer is lost, and told once more, and lost again.
    for _ in 0..2 {
        node.renew(address).await.unwrap();
    }
    let refused = node.renew(address).await.unwrap_err();
    assert_eq!(refused.code, 401, "{}", refused.message);
    let reissued = node.reissue(address, &node.request).await.unwrap();
    assert_eq!(reissued.actr_id, node.granted.actr_id);
    let again = Holder {
        granted: reissued,
        ..node
    };
    assert!(again.renew(address).await.is_ok(), "its new token renews it");
    registry.shutdown().await;
}

#[tokio::test]
async fn another_registration_or_none_of_the_key_reissues_nothing() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let node = Holder::register(address).await;
    let others = [
        RegisterRequest {
            actr_type: request(1, SERVER).actr_type,
            ..node.request.clone()
        },
        RegisterRequest {
            realm: request(2, CLIENT).realm,
            ..node.request.clone()
        },
        RegisterRequest {
            holder_key: None,
            ..node.request.clone()
        },
    ];
    for other in others {
        let refused = node.reissue(address, &other).await.unwrap_err();
        assert!(
            refused.message.contains("another type, realm or key"),
            "{}",
            refused.message
        );
    }
    let without = reissue_request(&node.granted, &node.request).encode_to_vec();
    let refused = ais(address, "/ais/reissue", without).await.unwrap_err();
    assert!(refused.message.contains(PROOF_HEADER), "{}", refused.message);
    assert!(
        node.reissue(address, &node.request).await.is_ok(),
        "its token is not used up"
    );
    registry.shutdown().await;
}

#[tokio::test]
async fn a_stolen_token_reissues_nothing_and_ends_the_identity() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let registration = request(1, CLIENT);
    let first = ais(address, "/ais/register", registration.encode_to_vec())
        .await
        .unwrap();
    let second = renew(address, &first).await.unwrap();
    let third = renew(address, &second).await.unwrap();
    let stolen = reissue_request(&first, &registration).encode_to_vec();
    let refused = ais(address, "/ais/reissue", stolen).await.unwrap_err();
    assert!(refused.message.contains("used again"), "{}", refused.message);
    assert!(
        renew(address, &third).await.is_err(),
        "nobody knows which of the two it is"
    );
    registry.shutdown().await;
}

#[tokio::test]
async fn a_registration_within_has_the_limits_of_one() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let node = Holder::register(address).await;
    // Fields that nobody knows, each a number of one byte.
    let message = ReissueCredentialRequest {
        registration: [0x78, 0].repeat(20_000).into(),
        ..reissue_request(&node.granted, &node.request)
    };
    let (status, body) = http(address, post("/ais/reissue", message.encode_to_vec())).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains("16384 fields"), "{text}");
    registry.shutdown().await;
}
