//! A log line stays one line, whatever it quotes.

use std::{
    fmt::{self, Write as _},
    mem,
};

use actr_lite_wire::peer_text::OneLine;
use tracing::{
    field::{Field, Visit},
    span::Record,
};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, FormattedFields, format::Writer},
};

use crate::bounded::Bounded;

/// What the fields of spans begin with that are for those who record spans, and nothing to read.
pub(crate) const FOR_RECORDERS: &str = "otel.";

/// Writes a message and its fields, `message name=value`, so that none can break the line, steer a terminal, or go on
/// forever. A value that the message has in it is not repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneLineFields;

impl<'writer> FormatFields<'writer> for OneLineFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            message: String::new(),
            is_begun: false,
            result: Ok(()),
        };
        fields.record(&mut line);
        line.result
    }

    fn add_fields(&self, current: &'writer mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut added = String::new();
        self.format_fields(Writer::new(&mut added), fields)?;
        if !current.fields.is_empty() && !added.is_empty() {
            current.fields.push(' ');
        }
        current.fields.push_str(&added);
        Ok(())
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    message: String,
    is_begun: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>, quoted: fmt::Arguments<'_>) -> fmt::Result {
        if field.name() == "message" {
            self.message = shown(value);
            self.is_begun = true;
            return self.writer.write_str(&self.message);
        }
        if field.name().starts_with(FOR_RECORDERS) || has(&self.message, &shown(value)) {
            return Ok(());
        }
        if mem::replace(&mut self.is_begun, true) {
            self.writer.write_char(' ')?;
        }
        write!(self.writer, "{}={}", field.name(), shown(quoted))
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format_args!("{value:?}");
        self.result = self.result.and_then(|()| self.write(field, value, value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let (value, quoted) = (format_args!("{value}"), format_args!("{value:?}"));
        self.result = self.result.and_then(|()| self.write(field, value, quoted));
    }
}

/// A value in one line, of which what is too long is cut.
fn shown(value: fmt::Arguments<'_>) -> String {
    let mut line = String::new();
    let mut one_line = OneLine::new(&mut line);
    let mut bounded = Bounded::new(&mut one_line);
    // It fails where the value was cut, or if its own `Display` does.
    let _ = bounded.write_fmt(value);
    if bounded.is_full() {
        line.push('…');
    }
    line
}

/// Whether a message has this value, as a whole and not as a part of a longer word.
fn has(message: &str, value: &str) -> bool {
    let is_apart = |next: Option<char>| next.is_none_or(|next| !(next.is_alphanumeric() || next == '-' || next == '_'));
    !value.is_empty()
        && message.match_indices(value).any(|(at, _)| {
            let (before, after) = (&message[..at], &message[at + value.len()..]);
            is_apart(before.chars().next_back()) && is_apart(after.chars().next())
        })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::bounded::MAX_VALUE_BYTES;

    /// What is written into it.
    #[derive(Clone, Default)]
    pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged in there, without times.
    fn logged(log: impl FnOnce()) -> String {
        let written = Log::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .fmt_fields(OneLineFields)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        written.text()
    }

    #[test]
    fn a_log_line_is_one_line_whatever_it_quotes() {
        let hostile = "x\n2026 INFO forged\x1b[2J";
        let line = logged(|| tracing::info!(count = 3, text = hostile, shown = %hostile, "said: {hostile}"));
        assert_eq!(line, "said: x 2026 INFO forged\\u{1b}[2J count=3\n");
        let line = logged(|| tracing::info!(text = hostile, shown = %hostile, "said"));
        assert_eq!(
            line,
            "said text=\"x\\n2026 INFO forged\\u{1b}[2J\" shown=x 2026 INFO forged\\u{1b}[2J\n"
        );
    }

    #[test]
    fn a_value_that_the_message_has_is_not_repeated() {
        let line =
            logged(|| tracing::info!(frames = 3, peer = "a", stream = %"s-1", "stream s-1: ended after 3 frames"));
        assert_eq!(line, "stream s-1: ended after 3 frames peer=\"a\"\n");
        let line = logged(|| tracing::info!(frames = 1, peer = %"", "stream s-1: of 10"));
        assert_eq!(
            line, "stream s-1: of 10 frames=1 peer=\n",
            "a part of a word is another value"
        );
    }

    #[test]
    fn what_is_for_recorders_is_not_shown() {
        let line = logged(|| {
            let span = tracing::info_span!(
                "call",
                route = "a.B",
                otel.kind = "client",
                reason = tracing::field::Empty
            );
            span.record("otel.kind", "server").record("reason", "none");
            let _entered = span.entered();
            tracing::info!(otel.name = "x", "said");
        });
        assert_eq!(line, "call{route=\"a.B\" reason=\"none\"}: said\n");
    }

    #[test]
    fn a_log_line_has_a_bounded_length() {
        let long = "é".repeat(1 << 20);
        let line = logged(|| tracing::info!(%long, "said: {long}"));
        assert!(line.len() < 3 * MAX_VALUE_BYTES, "{}", line.len());
        assert!(line.ends_with("…\n"));
    }
}
