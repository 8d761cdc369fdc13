//! What kind of no a registry says, whichever numbers it uses.

use actr_lite_wire::error_code::ErrorCode;

/// The registry does not accept what is to prove who asks: a credential, a token or a secret. Nodes have no code for it.
pub(crate) const UNAUTHENTICATED: ErrorCode = ErrorCode::Other(401);

/// The number of a refusal for now, because too much is asked (RFC 6585 §4).
pub(crate) const TOO_MANY_REQUESTS: u32 = 429;

/// What the number of a refusal says. Our registry uses the numbers of nodes, actrix the status codes of HTTP, in
/// messages too.
pub(crate) fn code_of(number: u32) -> ErrorCode {
    match number {
        401 => UNAUTHENTICATED,
        403 => ErrorCode::PermissionDenied,
        404 => ErrorCode::NotFound,
        408 | 504 => ErrorCode::TimedOut,
        425 | TOO_MANY_REQUESTS | 503 => ErrorCode::Unavailable,
        501 => ErrorCode::NotImplemented,
        400..=499 => ErrorCode::InvalidArgument,
        500..=599 => ErrorCode::Internal,
        number => number.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_may_number_its_refusals_as_http_does() {
        use ErrorCode::{Internal, InvalidArgument, NotFound, PermissionDenied, TimedOut, Unavailable};
        for (number, code) in [
            (400, InvalidArgument),
            (401, UNAUTHENTICATED),
            (403, PermissionDenied),
            (404, NotFound),
            (408, TimedOut),
            (429, Unavailable),
            (500, Internal),
            (502, Internal),
            (503, Unavailable),
            (504, TimedOut),
            (10_001, Unavailable),
            (10_004, PermissionDenied),
            (7, ErrorCode::Other(7)),
        ] {
            assert_eq!(code_of(number), code, "{number}");
        }
    }
}
