//! How two nodes of this kind recognise each other: an attribute of the session in offer and answer.
//!
//! Who does not know it ignores it (RFC 8866 §5.13), as official nodes do. It is in every first offer, and in the answer to
//! an offer that has it. Its name is that of the WebSocket subprotocol by which two nodes agree on the same:
//! `a=actr-lite.1:max-record=4194304`.

use actr_lite_engine::upgrade::offer::Agreed;
use actr_lite_wire::{record::EXTENSION, record_limit::RecordLimit};

/// In front of the longest record that the sender takes.
const MAX_RECORD: &str = "max-record=";

/// A description with the attribute, for a node that takes records up to this length.
pub(crate) fn added(sdp: &str, max_record_len: usize) -> String {
    // What stands behind the first medium is of that.
    let at = sdp.find("m=").unwrap_or(sdp.len());
    let (session, media) = sdp.split_at(at);
    format!("{session}a={EXTENSION}:{MAX_RECORD}{max_record_len}\r\n{media}")
}

/// What the description of a peer says: whether it has the attribute, and the longest record that the peer takes.
///
/// # Errors
/// For people: when the attribute says something that is no limit.
pub(crate) fn agreed(sdp: &str) -> Result<Agreed, String> {
    let session = sdp.lines().take_while(|line| !line.starts_with("m="));
    let attribute = session
        .filter_map(|line| line.strip_prefix("a="))
        .find_map(|line| match line.split_once(':') {
            Some((EXTENSION, value)) => Some(value.trim_end()),
            None if line.trim_end() == EXTENSION => Some(""),
            _ => None,
        });
    let Some(value) = attribute else {
        let peer_limit = RecordLimit::default();
        return Ok(Agreed {
            extended: false,
            peer_limit,
        });
    };
    // Others may follow one day.
    let limit = value.split(' ').find_map(|word| word.strip_prefix(MAX_RECORD));
    let peer_limit = limit.map_or(Ok(RecordLimit::default()), str::parse);
    let peer_limit = peer_limit.map_err(|error| format!("its attribute {EXTENSION} is {value:?}: {error}"))?;
    Ok(Agreed {
        extended: true,
        peer_limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICIAL: &str = "v=0\r\ns=-\r\na=group:BUNDLE 0\r\nm=application 9 UDP/DTLS/SCTP x\r\na=mid:0\r\n";

    #[test]
    fn what_is_added_is_read() {
        let sdp = added(OFFICIAL, 4096);
        let limit = RecordLimit::new(4096).unwrap();
        assert!(matches!(agreed(&sdp), Ok(Agreed { extended: true, peer_limit }) if peer_limit == limit));
        let without: String = sdp
            .split_inclusive("\r\n")
            .filter(|line| !line.contains(EXTENSION))
            .collect();
        assert_eq!(without, OFFICIAL);
        assert!(sdp.find(EXTENSION) < sdp.find("m="), "it is the session's");
    }

    #[test]
    fn a_description_without_it_is_an_official_nodes() {
        let of_a_medium = format!("{OFFICIAL}a=actr-lite.1:max-record=4096\r\n");
        let of_another_version = OFFICIAL.replace("a=group", "a=actr-lite.10:x\r\na=group");
        for sdp in [OFFICIAL, &of_a_medium, &of_another_version] {
            let limit = RecordLimit::default();
            assert!(matches!(agreed(sdp), Ok(Agreed { extended: false, peer_limit }) if peer_limit == limit));
        }
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        let with = |value: &str| agreed(&OFFICIAL.replace("a=group", &format!("a=actr-lite.1{value}\r\na=group")));
        for value in ["", ":", ":later", ":later max-record=2048"] {
            assert!(with(value).is_ok_and(|agreed| agreed.extended), "{value}");
        }
        for value in [":max-record=", ":max-record=1", ":max-record=-1", ":later max-record=x"] {
            assert!(with(value).unwrap_err().contains("from 1024 to 67108864"), "{value}");
        }
    }
}
