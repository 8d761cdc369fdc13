//! What one who dials asks, and what it makes of the answer.

use std::time::Duration;

use actr_lite_wire::{
    credential::{self, Credential},
    identity::ActrId,
    possession::{PROOF_HEADER, Proof},
    record::EXTENSION,
    record_limit::RecordLimit,
    websocket::accept_key,
};
use http::{
    HeaderMap, StatusCode,
    header::{
        CONNECTION, HeaderValue, InvalidHeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use thiserror::Error;

use crate::{
    peers::dial::Failure,
    upgrade::{
        headers::{CREDENTIAL_HEADER, KEEP_OPEN_HEADER, SOURCE_HEADER},
        peer_limit::{RECORD_LIMIT_HEADER, peer_limit},
    },
};

/// What one who dials asks for, and shows of itself.
#[derive(Debug)]
pub struct Offer<'a> {
    /// Who dials.
    pub id: &'a ActrId,
    /// Its credential.
    pub credential: &'a Credential,
    /// Proves that the credential is its own, by `websocket_key`.
    pub proof: Option<Proof>,
    /// The request's `Sec-WebSocket-Key`: base64 of 16 random bytes.
    pub websocket_key: &'a str,
    /// The longest record that it takes.
    pub record_limit: RecordLimit,
    /// Whether it wants to keep the connection when nobody uses it.
    pub keeps_open: bool,
}

/// What both ends have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// They speak the extension.
    pub extended: bool,
    /// The longest record that the peer takes.
    pub peer_limit: RecordLimit,
}

/// Why an answer that agrees is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WrongAnswer {
    /// It is not by somebody who has understood the request.
    #[error("the answer's Sec-WebSocket-Accept is wrong")]
    Accept,
    /// Its record limit is none.
    #[error("{0}")]
    RecordLimit(String),
}

impl Offer<'_> {
    /// The headers of the request, `Host` aside.
    ///
    /// # Errors
    /// When a value can't be a header's.
    pub fn headers(&self) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(self.websocket_key)?);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(EXTENSION));
        headers.insert(RECORD_LIMIT_HEADER, HeaderValue::from(self.record_limit.bytes()));
        let source = credential::source_id_to_header(self.id);
        headers.insert(SOURCE_HEADER, HeaderValue::from_str(&source)?);
        headers.insert(CREDENTIAL_HEADER, HeaderValue::from_str(&self.credential.to_header())?);
        if let Some(proof) = &self.proof {
            headers.insert(PROOF_HEADER, HeaderValue::from_str(&proof.to_header())?);
        }
        if self.keeps_open {
            headers.insert(KEEP_OPEN_HEADER, HeaderValue::from_static("true"));
        }
        Ok(headers)
    }

    /// Checks an answer that switches protocols (RFC 6455 §4.2.2).
    ///
    /// # Errors
    /// When it is wrong.
    pub fn agreed(&self, answer: &HeaderMap) -> Result<Agreed, WrongAnswer> {
        let accept = answer.get(SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|accept| accept.as_bytes() != accept_key(self.websocket_key.as_bytes()).as_bytes()) {
            return Err(WrongAnswer::Accept);
        }
        let protocol = answer.get(SEC_WEBSOCKET_PROTOCOL);
        let extended = protocol.is_some_and(|protocol| protocol == EXTENSION);
        let peer_limit = peer_limit(answer, extended).map_err(WrongAnswer::RecordLimit)?;
        Ok(Agreed { extended, peer_limit })
    }
}

/// What an answer means for the next try that does not switch protocols.
pub fn refusal(status: StatusCode, answer: &HeaderMap) -> Failure {
    // RFC 6585 §4.
    let retry_after = || answer.get(RETRY_AFTER)?.to_str().ok()?.parse().ok();
    match status {
        StatusCode::FORBIDDEN => Failure::Denied,
        StatusCode::TOO_MANY_REQUESTS => retry_after().map_or(Failure::Unreachable, |seconds| {
            Failure::TooOften(Duration::from_secs(seconds))
        }),
        _ => Failure::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_refusal_says_whether_and_when_to_come_again() {
        let none = answer(&[]);
        assert_eq!(refusal(StatusCode::FORBIDDEN, &none), Failure::Denied);
        assert_eq!(refusal(StatusCode::TOO_MANY_REQUESTS, &none), Failure::Unreachable);
        let later = answer(&[("retry-after", "3")]);
        let too_often = Failure::TooOften(Duration::from_secs(3));
        assert_eq!(refusal(StatusCode::TOO_MANY_REQUESTS, &later), too_often);
        assert_eq!(refusal(StatusCode::SERVICE_UNAVAILABLE, &later), Failure::Unreachable);
        let date = answer(&[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")]);
        assert_eq!(refusal(StatusCode::TOO_MANY_REQUESTS, &date), Failure::Unreachable);
    }
}
