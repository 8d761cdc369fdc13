//! What a peer wrote for people, as a log or a terminal may show it.

use std::fmt::{self, Write as _};

/// The most characters that are shown: an explanation of a few sentences, and no page of it.
pub const MAX_SHOWN_CHARS: usize = 500;

/// Shows a peer's text as one line of at most [`MAX_SHOWN_CHARS`] characters, with a space for each control character:
/// a peer can neither forge lines of a log nor steer a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerText<'a>(pub &'a str);

impl fmt::Display for PeerText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.trim().chars().take(MAX_SHOWN_CHARS);
        shown
            .map(|character| if character.is_control() { ' ' } else { character })
            .try_for_each(|character| f.write_char(character))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_text_is_one_line_of_bounded_length_without_control_characters() {
        assert_eq!(
            PeerText("\n no\nsuch\x1b[31m route \n").to_string(),
            "no such [31m route"
        );
        let long = "é".repeat(MAX_SHOWN_CHARS + 1);
        assert_eq!(PeerText(&long).to_string(), "é".repeat(MAX_SHOWN_CHARS));
    }
}
