//! Text from outside, as a log, a terminal or another peer may have it.
//!
//! What a peer wrote may forge lines of a log, steer a terminal, or fill a disk. [`PeerText`] can't: it is escaped and cut
//! when it is made. [`RawText`] is for what has to be compared, looked up or sent back as it came, such as a route: nothing
//! can print it before it has become a [`PeerText`].

use std::fmt::{self, Display, Write};

/// The most characters of a peer's text that are shown: an explanation of a few sentences, and no page of it.
pub const MAX_SHOWN_CHARS: usize = 500;

/// What stands at the end of a text that was cut.
const CUT: char = '…';

/// Text that a peer may have written: one line of at most [`MAX_SHOWN_CHARS`] characters and a `…`, in which nothing steers
/// a terminal. Line breaks and tabs are spaces; other control characters, and those that reorder or hide text, are escaped.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct PeerText(Box<str>);

impl PeerText {
    /// The text, escaped and cut.
    pub fn new(text: &str) -> Self {
        Self::of(&text.trim())
    }

    /// What `text` displays, escaped and cut. No more of it is formatted than is shown.
    pub fn of(text: &(impl Display + ?Sized)) -> Self {
        let mut line = Cut {
            line: String::new(),
            left: MAX_SHOWN_CHARS,
        };
        // It fails where the text was cut, which is no failure.
        let _ = write!(OneLine::new(&mut line), "{text}");
        Self(line.line.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the peer wrote nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for PeerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PeerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for PeerText {
    fn eq(&self, text: &T) -> bool {
        *self.0 == *text.as_ref()
    }
}

impl From<&str> for PeerText {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for PeerText {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<PeerText> for String {
    fn from(text: PeerText) -> Self {
        text.0.into()
    }
}

/// Text as a peer sent it, of any length and with any characters. It has no `Display`, and its `Debug` is that of the
/// [`PeerText`] made of it:
///
/// ```compile_fail,E0277
/// # use actr_lite_wire::peer_text::RawText;
/// println!("{}", RawText::from("\x1b]0;title\x07"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RawText(String);

impl RawText {
    /// To compare it, to look it up, or to parse it; to print it there is [`Self::shown`].
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the peer wrote nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As it may be printed.
    pub fn shown(&self) -> PeerText {
        PeerText::new(&self.0)
    }

    /// To send it as it came.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for RawText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

impl From<String> for RawText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for RawText {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for RawText {
    fn eq(&self, text: &T) -> bool {
        self.0 == text.as_ref()
    }
}

/// Passes text on as one line that can't steer a terminal: see [`PeerText`]. It cuts nothing.
#[derive(Debug)]
pub struct OneLine<'a, W: ?Sized>(&'a mut W);

impl<'a, W: Write + ?Sized> OneLine<'a, W> {
    /// Writes to `to`.
    pub fn new(to: &'a mut W) -> Self {
        Self(to)
    }
}

impl<W: Write + ?Sized> Write for OneLine<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| steers(*character)) {
            self.0.write_str(&rest[..at])?;
            match character {
                '\n' | '\r' | '\t' => self.0.write_char(' ')?,
                other => write!(self.0, "{}", other.escape_unicode())?,
            }
            rest = &rest[at + character.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Whether a character does something else than being seen: it ends a line, steers a terminal, or reorders or hides what
/// stands beside it.
pub fn steers(character: char) -> bool {
    let formats = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    character.is_control() || formats
}

/// A line that takes this many more characters.
struct Cut {
    line: String,
    left: usize,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match text.char_indices().nth(self.left) {
            None => {
                self.line.push_str(text);
                self.left -= text.chars().count();
                Ok(())
            }
            Some((end, _)) => {
                self.line.push_str(&text[..end]);
                self.line.push(CUT);
                Err(fmt::Error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_peers_text_can_neither_break_a_line_nor_steer_a_terminal() {
        let text = PeerText::new("\n no\r\nsuch\x1b[31m route \u{9b}2J\u{202e}\n");
        assert_eq!(text.to_string(), "no  such\\u{1b}[31m route \\u{9b}2J\\u{202e}");
        assert_eq!(PeerText::new("grün \"and\" C:\\dir").as_str(), "grün \"and\" C:\\dir");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_says_so() {
        let longest = "é".repeat(MAX_SHOWN_CHARS);
        assert_eq!(PeerText::new(&longest).as_str(), longest);
        assert_eq!(PeerText::new(&format!("{longest}é")).as_str(), format!("{longest}…"));
    }

    #[test]
    fn no_more_is_formatted_than_is_shown() {
        struct Endless;
        impl Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("on and ")?;
                }
            }
        }
        assert!(PeerText::of(&Endless).as_str().ends_with(CUT));
    }

    #[test]
    fn raw_text_is_shown_as_peers_text_even_for_debugging() {
        let raw = RawText::from("a\nb");
        assert_eq!(format!("{raw:?} {:?}", raw.shown()), "\"a b\" \"a b\"");
        assert_eq!(raw.as_str(), "a\nb");
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_of_bounded_length(text in any::<String>()) {
            let shown = PeerText::new(&text);
            prop_assert!(!shown.as_str().chars().any(steers));
            prop_assert!(shown.as_str().chars().count() <= MAX_SHOWN_CHARS + 1);
            prop_assert_eq!(&PeerText::new(shown.as_str()), &shown);
        }
    }
}
