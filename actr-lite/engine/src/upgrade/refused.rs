//! The answer to an upgrade that is refused.

use actr_lite_wire::{host_policy::HostRefusal, rate_limit::RateExceeded};
use http::{
    Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};

/// The answer to an upgrade that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedUpgrade {
    /// What HTTP calls it.
    pub status: StatusCode,
    /// For people.
    pub reason: String,
    /// In so many seconds it may be tried again.
    retry_after: Option<u64>,
}

impl RefusedUpgrade {
    /// A refusal for this reason.
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// Whether who asked has done wrong. Who comes when the node stops, or is at a limit, has not.
    pub fn is_misbehaviour(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS
    }

    /// What is counted for it.
    pub fn word(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "credential",
            StatusCode::FORBIDDEN => "access",
            StatusCode::MISDIRECTED_REQUEST => "host",
            StatusCode::TOO_MANY_REQUESTS => "limit",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "request",
        }
    }

    /// What is sent.
    pub fn into_response(self) -> Response<String> {
        let mut response = Response::new(self.reason);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.extend(self.retry_after.map(|seconds| (RETRY_AFTER, seconds.into())));
        response
    }
}

impl From<RateExceeded> for RefusedUpgrade {
    fn from(error: RateExceeded) -> Self {
        Self {
            retry_after: Some(error.retry_after()),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
        }
    }
}

impl From<HostRefusal> for RefusedUpgrade {
    fn from(refusal: HostRefusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::FORBIDDEN);
        Self::new(status, refusal.to_string())
    }
}
