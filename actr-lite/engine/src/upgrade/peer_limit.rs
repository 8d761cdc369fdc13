//! The longest record that a peer takes.

use actr_lite_wire::record_limit::RecordLimit;
use http::header::HeaderMap;

/// The header by which two nodes that speak the extension tell each other the longest record that they take.
pub(super) const RECORD_LIMIT_HEADER: &str = "x-actr-lite-max-record";

/// The longest record that a peer takes, as the headers of its upgrade say.
///
/// One that says nothing, or does not speak the extension, has the default.
///
/// # Errors
/// For people: when it says something that is no limit.
pub(super) fn peer_limit(headers: &HeaderMap, extended: bool) -> Result<RecordLimit, String> {
    let value = match headers.get(RECORD_LIMIT_HEADER) {
        Some(value) if extended => value,
        _ => return Ok(RecordLimit::default()),
    };
    let refused = |shown: &str, error: &str| format!("the header {RECORD_LIMIT_HEADER} is {shown}: {error}");
    let text = value
        .to_str()
        .map_err(|_| refused("not text", "it has to be a number"))?;
    text.parse::<RecordLimit>()
        .map_err(|error| refused(&format!("{text:?}"), &error.to_string()))
}

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;

    fn limit(value: &[u8], extended: bool) -> Result<usize, String> {
        let mut headers = HeaderMap::new();
        headers.insert(RECORD_LIMIT_HEADER, HeaderValue::from_bytes(value).unwrap());
        peer_limit(&headers, extended).map(RecordLimit::bytes)
    }

    #[test]
    fn a_peer_that_says_nothing_has_the_default() {
        assert_eq!(peer_limit(&HeaderMap::new(), true), Ok(RecordLimit::default()));
        assert_eq!(limit(b"garbage", false), Ok(RecordLimit::default().bytes()));
        assert_eq!(limit(b"2048", true), Ok(2048));
    }

    #[test]
    fn what_is_no_limit_is_refused_with_the_header_and_the_range() {
        assert_eq!(
            limit(b"12 MiB", true).unwrap_err(),
            "the header x-actr-lite-max-record is \"12 MiB\": a record limit is a number of bytes from 1024 to 67108864"
        );
        for value in [&b""[..], b"0", b"-1", b"99999999999", b"\xff"] {
            assert!(limit(value, true).unwrap_err().contains(RECORD_LIMIT_HEADER));
        }
    }
}
