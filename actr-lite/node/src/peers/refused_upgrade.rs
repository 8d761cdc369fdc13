use actr_lite_wire::{host_policy::HostRefusal, rate_limit::RateExceeded};
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{self, HeaderValue},
};

/// The answer to an upgrade that is refused.
pub(super) struct RefusedUpgrade {
    pub(super) status: StatusCode,
    pub(super) reason: String,
    /// In so many seconds it may be tried again.
    retry_after: Option<u64>,
}

impl RefusedUpgrade {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// What is counted for it.
    pub(super) fn word(&self) -> &'static str {
        match self.status {
            StatusCode::UNAUTHORIZED => "credential",
            StatusCode::FORBIDDEN => "access",
            StatusCode::MISDIRECTED_REQUEST => "host",
            StatusCode::TOO_MANY_REQUESTS => "limit",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            _ => "request",
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.reason));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers.extend(self.retry_after.map(|seconds| (header::RETRY_AFTER, seconds.into())));
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
