//! How a stream is asked for again behind the frames that came already.

/// The call metadata that asks a sender to start after a frame: its value is that frame's number, in decimal.
///
/// This project's own. A sender that does not know it starts at 1, and the receiver drops what it had.
pub const RESUME_AFTER: &str = "stream-resume-after";

/// The last frame after which a caller may ask to go on: no stream gets to half of the highest number, and after the
/// highest there would be none for the next frame.
pub const MAX_RESUME_AFTER: u64 = u64::MAX / 2;

/// The metadata for a stream of which the frames up to the number `last` came already; none for a new one.
pub fn metadata(last: u64) -> Vec<(String, String)> {
    match last {
        0 => Vec::new(),
        last => vec![(RESUME_AFTER.into(), last.to_string())],
    }
}

/// Reads the value of [`RESUME_AFTER`]; `None` if it is not a number up to [`MAX_RESUME_AFTER`].
pub fn parse(value: &str) -> Option<u64> {
    value.parse().ok().filter(|number| *number <= MAX_RESUME_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_reads_what_a_receiver_asks_for() {
        assert_eq!(metadata(0), []);
        let [(name, value)] = &metadata(7)[..] else {
            panic!("one entry")
        };
        assert_eq!((name.as_str(), parse(value)), (RESUME_AFTER, Some(7)));
    }

    #[test]
    fn only_numbers_with_room_behind_them_are_read() {
        assert_eq!(parse(&MAX_RESUME_AFTER.to_string()), Some(MAX_RESUME_AFTER));
        assert_eq!(parse(&(MAX_RESUME_AFTER + 1).to_string()), None);
        assert_eq!(parse("-1"), None);
        assert_eq!(parse(""), None);
    }
}
