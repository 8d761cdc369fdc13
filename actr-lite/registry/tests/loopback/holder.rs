use std::net::SocketAddr;

use actr_lite_wire::{
    identity::ActrId,
    possession::{Audience, Proof, Prover},
    proto::{RegisterRequest, register_response::RegisterOk},
};
use prost::Message as _;

use crate::client::{CLIENT, ais, id_of, request};

/// A node with a key.
pub(crate) struct Holder {
    pub(crate) prover: Prover,
    pub(crate) request: RegisterRequest,
    pub(crate) granted: RegisterOk,
}

impl Holder {
    pub(crate) async fn register(address: SocketAddr) -> Self {
        let prover = Prover::new(&[3; 32]);
        let request = RegisterRequest {
            holder_key: Some(prover.holder_key().to_bytes().to_vec().into()),
            ..request(1, CLIENT)
        };
        let granted = ais(address, "/ais/register", request.encode_to_vec()).await.unwrap();
        Self {
            prover,
            request,
            granted,
        }
    }

    pub(crate) fn id(&self) -> ActrId {
        id_of(&self.granted)
    }

    pub(crate) fn prove(&self, audience: Audience, binding: &[u8]) -> Option<Proof> {
        Some(self.prover.prove(&self.id(), audience, binding))
    }
}
