use actr_lite_wire::{
    credential::{Credential, CredentialError},
    identity::ActrId,
    possession::{Audience, PROOF_HEADER},
    proto::AIdCredential,
};
use bytes::Bytes;
use data_encoding::BASE64;
use hyper::{
    HeaderMap,
    header::{CONNECTION, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use percent_encoding::percent_decode_str;
use thiserror::Error;

use crate::{
    directory::REGISTER_AGAIN,
    possession::{PossessionError, Shown},
    shared::Shared,
};

/// How many base64 characters the 16 bytes of a `Sec-WebSocket-Key` take (RFC 6455 §4.1).
const KEY_LEN: usize = 24;

/// Why a signaling connection is refused.
#[derive(Debug, Error)]
pub enum Refusal {
    /// It is no WebSocket upgrade of version 13.
    #[error("signaling is a WebSocket: send an upgrade request of version 13")]
    NotAnUpgrade,
    /// The query lacks this part, or has it twice.
    #[error("the query must have one {0}, percent-encoded")]
    Query(&'static str),
    /// This part of the query is not what it should be.
    #[error("the query's {0} can't be read")]
    Malformed(&'static str),
    /// The credential names a key of another registry, or of an earlier life of this one.
    #[error("the credential is signed with key {0}, which this registry does not have: {REGISTER_AGAIN}")]
    UnknownKey(u32),
    /// The credential's time is over.
    #[error("{0}: renew it, or {REGISTER_AGAIN}")]
    Expired(CredentialError),
    /// The credential does not prove the id.
    #[error("{0}")]
    Credential(CredentialError),
    /// The credential is not shown by its holder.
    #[error("{0}")]
    Possession(#[from] PossessionError),
    /// The id is proven, and its node gone.
    #[error("this registry does not know {0}: {REGISTER_AGAIN}")]
    UnknownNode(ActrId),
}

/// The `Sec-WebSocket-Key` of a WebSocket upgrade request (RFC 6455 §4.2.1).
pub(crate) fn websocket_key(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let version = headers.get(SEC_WEBSOCKET_VERSION).map(|version| version.as_bytes());
    let key = headers.get(SEC_WEBSOCKET_KEY).map(|key| key.as_bytes());
    match key {
        Some(key)
            if key.len() == KEY_LEN
                && version == Some(b"13")
                && names(headers, &CONNECTION, "upgrade")
                && names(headers, &UPGRADE, "websocket") =>
        {
            Ok(key)
        }
        _ => Err(Refusal::NotAnUpgrade),
    }
}

/// Whether a header that lists tokens has this one.
fn names(headers: &HeaderMap, header: &HeaderName, token: &str) -> bool {
    headers
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// What a query shows, not verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    id: ActrId,
    credential: Credential,
}

impl Claim {
    /// Reads `actor_id=&key_id=&claims=&signature=` in any order; other keys are left to later versions.
    ///
    /// # Errors
    /// When a part is missing, there twice, or not what it should be; the error names it.
    pub fn from_query(query: &str) -> Result<Self, Refusal> {
        let id = text(query, "actor_id")?;
        let id = id.parse().map_err(|_| Refusal::Malformed("actor_id"))?;
        let key_id = text(query, "key_id")?;
        let key_id = key_id.parse().map_err(|_| Refusal::Malformed("key_id"))?;
        let credential = AIdCredential {
            key_id,
            claims: base64(query, "claims")?,
            signature: base64(query, "signature")?,
        };
        Ok(Self {
            id,
            credential: credential.into(),
        })
    }

    /// Who wants to connect.
    pub fn id(&self) -> &ActrId {
        &self.id
    }

    /// What is to prove it.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The actor that may connect, if this and the request's headers prove that it is one of this registry.
    pub(crate) fn verify(self, shared: &Shared, headers: &HeaderMap) -> Result<ActrId, Refusal> {
        let Self { id, credential } = self;
        let key_id = credential.key_id();
        let key = shared.state().directory.signing_key(key_id).cloned();
        let key = key.ok_or(Refusal::UnknownKey(key_id))?;
        let verified = key
            .verify(&credential, &id, shared.clock.unix_seconds())
            .map_err(|error| match error {
                CredentialError::Expired { .. } => Refusal::Expired(error),
                error => Refusal::Credential(error),
            })?;
        if !shared.state().directory.knows(&id) {
            return Err(Refusal::UnknownNode(id));
        }
        if let Some(holder) = &verified.holder {
            let shown = Shown {
                proof: headers.get(PROOF_HEADER),
                binding: websocket_key(headers)?,
            };
            shown.check(shared, &id, holder, &Audience::Signaling)?;
        }
        Ok(id)
    }
}

fn text(query: &str, name: &'static str) -> Result<String, Refusal> {
    let mut values = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::Query(name));
    };
    let decoded = percent_decode_str(value).decode_utf8();
    Ok(decoded.map_err(|_| Refusal::Malformed(name))?.into_owned())
}

fn base64(query: &str, name: &'static str) -> Result<Bytes, Refusal> {
    let bytes = BASE64
        .decode(text(query, name)?.as_bytes())
        .map_err(|_| Refusal::Malformed(name))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn refusal(query: &str) -> String {
        match Claim::from_query(query) {
            Ok(_) => "accepted".into(),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn a_query_that_lacks_or_garbles_a_part_is_refused_by_its_name() {
        assert_eq!(
            refusal("actor_id=1%401/a:b:1&key_id=7&claims=AA%3D%3D&signature=AA=="),
            "accepted"
        );
        for (query, part) in [
            ("", "one actor_id"),
            ("actor_id=x&key_id=7&claims=&signature=", "actor_id can't"),
            ("actor_id=1@1/a:b:1&actor_id=1@1/a:b:1", "one actor_id"),
            ("actor_id=1@1/a:b:1&claims=&signature=", "one key_id"),
            ("actor_id=1@1/a:b:1&key_id=-1&claims=&signature=", "key_id can't"),
            ("actor_id=1@1/a:b:1&key_id=1&claims=%21&signature=", "claims can't"),
            ("actor_id=1@1/a:b:1&key_id=1&claims=%FF&signature=", "claims can't"),
            ("actor_id=1@1/a:b:1&key_id=1&claims=", "one signature"),
        ] {
            assert!(refusal(query).contains(part), "{query}: {}", refusal(query));
        }
    }

    #[test]
    fn only_a_whole_upgrade_request_is_one() {
        let whole: HeaderMap = [
            (CONNECTION, "keep-alive, Upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .into_iter()
        .collect();
        assert!(websocket_key(&whole).is_ok());
        for missing in whole.keys() {
            let mut headers = whole.clone();
            headers.remove(missing);
            assert!(websocket_key(&headers).is_err(), "without {missing}");
        }
        let mut headers = whole.clone();
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("8"));
        assert!(websocket_key(&headers).is_err());
    }

    proptest! {
        #[test]
        fn no_query_makes_the_parser_panic(query in "(actor_id|key_id|claims|signature|=|&|%|[!-~]){0,40}") {
            let _ = Claim::from_query(&query);
        }
    }
}
