//! What one who dials asks for, as the other end reads and answers it.

use std::fmt::Display;

use actr_lite_wire::{
    credential::{self, Credential, CredentialError, Genuine},
    identity::ActrId,
    possession::{Audience, MalformedProof, PROOF_HEADER, Proof, ProofError},
    record::EXTENSION,
    record_limit::RecordLimit,
    websocket::accept_key,
};
use http::{
    HeaderMap, Method, Response, StatusCode,
    header::{
        CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use thiserror::Error;

use crate::upgrade::{
    headers::{CREDENTIAL_HEADER, KEEP_OPEN_HEADER, SOURCE_HEADER, has_token},
    offer::Agreed,
    peer_limit::{RECORD_LIMIT_HEADER, peer_limit},
    refused::RefusedUpgrade,
};

/// An upgrade that is asked for, by whom it says.
#[derive(Debug, Clone)]
pub struct UpgradeRequest {
    /// Who that is to be.
    pub peer: ActrId,
    /// What both ends can agree on.
    pub agreed: Agreed,
    /// Whether the peer, which speaks the extension, wants to keep the connection when nobody uses it.
    pub is_kept: bool,
    credential: Credential,
    proof: Option<HeaderValue>,
    /// The `Sec-WebSocket-Key`, to which the proof belongs.
    websocket_key: HeaderValue,
}

/// A proof that the peer itself has asked. It counts once: [`Doorkeeper`](super::doorkeeper::Doorkeeper) knows which were
/// taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a proof counts once"]
pub struct Proven {
    /// The proof's number, if the credential asks for one.
    pub(super) number: Option<u64>,
    /// Until when the credential is valid, in Unix seconds.
    pub(super) expires_at: u64,
}

/// Why an upgrade is not by whom it says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// The credential is not good.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// A credential alone is not enough.
    #[error("the credential names its holder's key: prove in the header {PROOF_HEADER} that you have the private one")]
    NoProof,
    /// The proof can't be read.
    #[error(transparent)]
    MalformedProof(#[from] MalformedProof),
    /// The proof proves nothing here.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl UpgradeRequest {
    /// Reads a request for an upgrade to WebSocket (RFC 6455 §4.2.1).
    ///
    /// # Errors
    /// When it is none, or does not say by whom.
    pub fn read(method: &Method, headers: &HeaderMap) -> Result<Self, RefusedUpgrade> {
        let is_upgrade = method == Method::GET
            && has_token(headers, CONNECTION, "upgrade")
            && has_token(headers, UPGRADE, "websocket");
        if !is_upgrade {
            return Err(RefusedUpgrade::new(
                StatusCode::UPGRADE_REQUIRED,
                "this is a WebSocket data lane: ask for an upgrade",
            ));
        }
        let malformed = |reason: &str| RefusedUpgrade::new(StatusCode::BAD_REQUEST, reason);
        let version = headers.get(SEC_WEBSOCKET_VERSION);
        if version.is_none_or(|version| version != "13") {
            return Err(malformed("only WebSocket version 13 is spoken here"));
        }
        let websocket_key = headers.get(SEC_WEBSOCKET_KEY);
        let websocket_key = websocket_key.ok_or_else(|| malformed("the header Sec-WebSocket-Key is missing"))?;
        let value = |name: &str| {
            let value = headers.get(name);
            value.ok_or_else(|| unproven(&format_args!("the header {name} is missing")))
        };
        let source = value(SOURCE_HEADER)?;
        let peer = credential::source_id_from_header(source.as_bytes()).map_err(|error| unproven(&error))?;
        let credential = value(CREDENTIAL_HEADER)?;
        let credential = Credential::from_header(credential.as_bytes()).map_err(|error| unproven(&error))?;
        let extended = has_token(headers, SEC_WEBSOCKET_PROTOCOL, EXTENSION);
        let peer_limit = peer_limit(headers, extended).map_err(|reason| malformed(&reason))?;
        Ok(Self {
            peer,
            agreed: Agreed { extended, peer_limit },
            is_kept: extended && headers.contains_key(KEEP_OPEN_HEADER),
            credential,
            proof: headers.get(PROOF_HEADER).cloned(),
            websocket_key: websocket_key.clone(),
        })
    }

    /// Which of the registry's keys its credential is signed with.
    pub fn key_id(&self) -> u32 {
        self.credential.key_id()
    }

    /// The credential that the peer shows.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Checks that the peer itself asks, and asks somebody who `is_meant`. `genuine` is its credential; `now` are Unix
    /// seconds.
    ///
    /// # Errors
    /// When it does not.
    pub fn verify(
        &self,
        genuine: &Genuine,
        is_meant: impl FnOnce(&Audience) -> bool,
        now: u64,
    ) -> Result<Proven, IdentityError> {
        let verified = genuine.verify(&self.peer, now)?;
        let number = match &verified.holder {
            None => None,
            Some(holder) => {
                let proof = self.proof.as_ref().ok_or(IdentityError::NoProof)?;
                let proof = Proof::from_header(proof.as_bytes())?;
                Some(holder.verify(&proof, &self.peer, is_meant, self.websocket_key.as_bytes())?)
            }
        };
        Ok(Proven {
            number,
            expires_at: verified.expires_at,
        })
    }

    /// The answer of a node that agrees, and takes records up to this limit.
    ///
    /// # Errors
    /// When there is no answer to such a key.
    pub fn accept(&self, record_limit: RecordLimit) -> Result<Response<String>, RefusedUpgrade> {
        let accept = HeaderValue::from_str(&accept_key(self.websocket_key.as_bytes()));
        let accept = accept.map_err(|error| RefusedUpgrade::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        let mut response = Response::new(String::new());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let answer = response.headers_mut();
        answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
        answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
        if self.agreed.extended {
            answer.insert(RECORD_LIMIT_HEADER, HeaderValue::from(record_limit.bytes()));
            answer.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(EXTENSION));
        }
        Ok(response)
    }
}

/// A refusal of somebody who does not show who it is.
pub fn unproven(reason: &dyn Display) -> RefusedUpgrade {
    RefusedUpgrade::new(StatusCode::UNAUTHORIZED, reason.to_string())
}

#[cfg(test)]
mod tests;
