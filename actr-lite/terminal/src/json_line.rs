use std::fmt::{self, Display, Write as _};

use actr_lite_wire::peer_text::steers;
use tracing::{
    Level,
    field::{Field, Visit},
};
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime as _, SystemTime},
};

use crate::bounded::Bounded;

/// A line that is a JSON object (RFC 8259), whatever is in it: when, at which level, and what was said.
#[derive(Debug)]
pub(crate) struct JsonLine(String);

impl JsonLine {
    /// One that begins now.
    pub(crate) fn new(level: Level) -> Self {
        let mut time = String::new();
        // Writing to a string can't fail, here and below.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let mut line = Self("{".into());
        line.text("timestamp", &time);
        line.text("level", &level);
        line
    }

    /// A member with a text, of which what is too long is cut.
    pub(crate) fn text(&mut self, name: &str, value: &dyn Display) {
        self.name(name);
        self.quoted(value);
    }

    /// A member with a number, or with what is no text either.
    fn plain(&mut self, name: &str, value: impl Display) {
        self.name(name);
        let _ = write!(self.0, "{value}");
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.quoted(&name);
        self.0.push(':');
    }

    fn quoted(&mut self, value: &dyn Display) {
        self.0.push('"');
        let mut escaped = Escaped(&mut self.0);
        let mut bounded = Bounded::new(&mut escaped);
        let _ = write!(bounded, "{value}");
        if bounded.is_full() {
            self.0.push('…');
        }
        self.0.push('"');
    }

    /// The line, with its end.
    pub(crate) fn end(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }
}

/// The members that a log line has of itself.
const OWN: [&str; 4] = ["timestamp", "level", "target", "span"];

impl Visit for JsonLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, &format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), value);
    }
}

impl JsonLine {
    fn record(&mut self, field: &Field, value: &dyn Display) {
        match field.name() {
            name if OWN.contains(&name) => self.text(&format!("field.{name}"), value),
            name => self.text(name, value),
        }
    }
}

/// Passes text on as it stands within the quotes of a JSON string. What ends a line or steers a terminal is escaped too.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                character if steers(character) => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(self.0, "\\u{unit:04x}")?;
                    }
                }
                character => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::bounded::MAX_VALUE_BYTES;

    fn line(text: &str) -> String {
        let mut line = JsonLine::new(Level::INFO);
        line.text("message", &text);
        line.end()
    }

    #[test]
    fn a_long_text_is_cut() {
        let line = line(&"é".repeat(1 << 20));
        assert!(line.len() < 2 * MAX_VALUE_BYTES, "{}", line.len());
        let value: Value = serde_json::from_str(&line).unwrap();
        assert!(value["message"].as_str().unwrap().ends_with('…'));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_from_one_line(text in any::<String>()) {
            let line = line(&text);
            prop_assert!(!line.trim_end_matches('\n').chars().any(steers), "{line:?}");
            let value: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["message"].as_str(), Some(text.as_str()));
            prop_assert_eq!(value["level"].as_str(), Some("INFO"));
        }
    }
}
