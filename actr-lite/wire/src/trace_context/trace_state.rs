use std::{str, sync::Arc};

/// The most bytes that are passed on: what the standard asks everybody to pass on.
pub const MAX_STATE_BYTES: usize = 512;

/// The most members that the standard allows.
pub const MAX_STATE_MEMBERS: usize = 32;

/// The longest key, and the longest value.
const MAX_PART_LEN: usize = 256;

/// What tracing systems have added to a trace, `key=value,key=value`: printable ASCII of at most [`MAX_STATE_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceState(Option<Arc<str>>);

impl TraceState {
    /// The text as it came; `None` if it breaks the standard or is longer than what is passed on.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_STATE_BYTES {
            return None;
        }
        let text = str::from_utf8(text).ok()?;
        let mut keys = [""; MAX_STATE_MEMBERS];
        let mut known = 0;
        for member in text.split(',').map(|member| member.trim_matches([' ', '\t'])) {
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            let is_new = !keys[..known].contains(&key);
            if !(is_new && is_key(key) && is_value(value)) {
                return None;
            }
            *keys.get_mut(known)? = key;
            known += 1;
        }
        Some(Self((known > 0).then(|| text.into())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether nobody has added anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// `vendor` or `tenant@vendor`.
fn is_key(key: &str) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= MAX_PART_LEN
        && key.as_bytes().first().is_some_and(is_first)
        && key.bytes().all(|byte| is_first(&byte) || b"_-*/@".contains(&byte))
}

fn is_value(value: &str) -> bool {
    let is_in = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    (1..=MAX_PART_LEN).contains(&value.len()) && value.bytes().all(is_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        TraceState::parse(text.as_bytes()).map(|state| state.as_str().to_owned())
    }

    #[test]
    fn a_valid_state_is_kept_as_it_came() {
        for valid in [
            "a=1",
            "rojo=00f067aa0ba902b7,tenant@congo=t61 rcWkgMzE",
            "a=1, \t,b=2",
            "0/_-*=~!",
        ] {
            assert_eq!(parse(valid).as_deref(), Some(valid));
        }
        for empty in ["", " ", ",, ,"] {
            assert_eq!(parse(empty).as_deref(), Some(""), "{empty:?}");
        }
    }

    #[test]
    fn a_broken_state_is_none() {
        for broken in [
            "a",
            "a=",
            "=1",
            "A=1",
            "-a=1",
            "a=1=2",
            "a=1,a=2",
            "a=\u{1b}[2J",
            "a=1\nb=2",
            "a=é",
        ] {
            assert_eq!(parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn the_state_has_at_most_512_bytes_and_32_members() {
        let members = |count: usize| {
            (0..count)
                .map(|number| format!("k{number}=v"))
                .collect::<Vec<_>>()
                .join(",")
        };
        assert!(parse(&members(MAX_STATE_MEMBERS)).is_some());
        assert!(parse(&members(MAX_STATE_MEMBERS + 1)).is_none());
        let long = |len: usize| format!("a={},b={}", "x".repeat(250), "y".repeat(len - 255));
        assert_eq!(long(MAX_STATE_BYTES).len(), MAX_STATE_BYTES);
        assert!(parse(&long(MAX_STATE_BYTES)).is_none(), "a value may not be so long");
        let fit = format!("a={},b={}", "x".repeat(250), "y".repeat(256));
        assert!(parse(&fit).is_some_and(|text| text.len() == 511));
        assert!(parse(&format!("{fit},c=1")).is_none());
    }
}
