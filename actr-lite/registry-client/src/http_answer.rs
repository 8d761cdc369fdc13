//! What an HTTP answer without a message of the protocol comes to: a registry's refusal, or the answer of something else
//! that was reached in its place, such as a proxy.

use std::time::Duration;

use actr_lite_wire::peer_text::PeerText;
use hyper::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER},
};

use crate::{error::RegistryLinkError, refusal_code::code_of, registry_url::RegistryUrl};

/// The longest pause that the registry can ask for: less than the lease of a node that is registered, so that it can't be kept
/// away by one answer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);

/// What to do about an answer that no registry gives.
const NO_REGISTRY: &str = "no registry answers so: check the URL, and that a proxy in between passes on \
                           .../ais/register and .../signaling/ws, with upgrades to WebSocket";

/// What an error of HTTP comes to.
pub(crate) fn failure(url: &RegistryUrl, error: &hyper::Error) -> RegistryLinkError {
    let other_scheme = if url.is_tls() {
        "check the URL"
    } else {
        "if it speaks TLS, write wss:// instead of ws://"
    };
    if error.is_parse() {
        RegistryLinkError::unusable(url, &format_args!("its answer is not HTTP; {other_scheme}"))
    } else if error.is_incomplete_message() {
        let cause = format!("it closed the connection without an answer; {other_scheme}");
        RegistryLinkError::unreachable(url, cause)
    } else {
        RegistryLinkError::unreachable(url, PeerText::of(error))
    }
}

/// What the answer to `request` comes to.
pub(crate) fn refusal(
    url: &RegistryUrl,
    request: &'static str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> RegistryLinkError {
    let words = words(status, headers, body);
    if status.is_redirection() {
        let location = text(headers, &LOCATION).unwrap_or_else(|| "another place".into());
        let advice = format_args!(
            "it answers the {request} with {status}, which leads to {location}: write the URL to which that leads, with ws:// \
             for http:// and wss:// for https://"
        );
        return RegistryLinkError::unusable(url, &advice);
    }
    if status.is_success() || status.is_informational() || status == StatusCode::NOT_FOUND {
        return RegistryLinkError::unusable(
            url,
            &format_args!("it answers the {request} with {words}: {NO_REGISTRY}"),
        );
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return RegistryLinkError::TooOften {
            request,
            retry_after: retry_after(headers),
            message: words,
        };
    }
    RegistryLinkError::Refused {
        request,
        code: code_of(status.as_u16().into()),
        message: words,
    }
}

/// The answer's own words if it has some for people, and otherwise its status. A page is none: it is for browsers.
fn words(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PeerText {
    let kind = text(headers, &CONTENT_TYPE);
    match kind {
        Some(kind) if !kind.as_str().starts_with("text/plain") => PeerText::of(&format_args!("{status} ({kind})")),
        _ => match PeerText::new(&String::from_utf8_lossy(body)) {
            said if said.is_empty() => PeerText::of(&status),
            said if status.is_success() || status == StatusCode::NOT_FOUND => {
                PeerText::of(&format_args!("{status} ({said})"))
            }
            said => said,
        },
    }
}

/// How long the registry wants to be left alone (RFC 9110 §10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    seconds
        .map_or(Duration::ZERO, Duration::from_secs)
        .min(LONGEST_RETRY_AFTER)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<PeerText> {
    let value = headers.get(name)?;
    Some(PeerText::new(&String::from_utf8_lossy(value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::error_code::ErrorCode;

    use super::*;

    const HTML: &[u8] = b"<html>\n<h1>No</h1></html>";

    fn answer(status: u16, kind: &'static str, body: &[u8]) -> RegistryLinkError {
        let url = "ws://registry.test/signaling/ws".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        headers.insert(
            LOCATION,
            "https://other.test/\x7f".replace('\x7f', "a").parse().unwrap(),
        );
        refusal(
            &url,
            "registration",
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body,
        )
    }

    #[test]
    fn a_refusal_is_told_in_the_registrys_own_words() {
        assert_eq!(
            answer(503, "text/plain; charset=utf-8", b"too many\nconnections\n"),
            RegistryLinkError::Refused {
                request: "registration",
                code: ErrorCode::Unavailable,
                message: "too many connections".into(),
            }
        );
    }

    #[test]
    fn a_page_for_browsers_is_told_by_its_status() {
        let error = answer(502, "text/html", HTML);
        assert!(!error.is_final(), "the registry behind the proxy may start");
        assert_eq!(
            error.to_string(),
            "the registry refused the registration: 502 Bad Gateway (text/html) (Internal)"
        );
    }

    #[test]
    fn what_no_registry_answers_is_final_and_says_what_to_do() {
        for (status, kind) in [
            (200, "text/html"),
            (204, "text/plain"),
            (404, "text/html"),
            (404, "text/plain"),
        ] {
            let error = answer(status, kind, HTML);
            assert!(error.is_final(), "{error}");
            assert!(
                error.to_string().contains(&format!("registration with {status} ")),
                "{error}"
            );
            assert!(error.to_string().ends_with("with upgrades to WebSocket"), "{error}");
        }
    }

    #[test]
    fn a_redirection_is_told_with_where_it_leads() {
        let error = answer(301, "text/html", HTML);
        assert!(error.is_final(), "{error}");
        assert!(
            error.to_string().contains("leads to https://other.test/a: write"),
            "{error}"
        );
    }
}
