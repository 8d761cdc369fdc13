//! A log line stays one line, whatever it quotes.

use std::fmt::{self, Write as _};

use actr_lite_wire::peer_text::OneLine;
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, format::Writer},
};

use crate::bounded::Bounded;

/// Writes a message and its fields, `message name=value`, so that none can break the line, steer a terminal, or go on
/// forever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneLineFields;

impl<'writer> FormatFields<'writer> for OneLineFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            is_begun: false,
            result: Ok(()),
        };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    is_begun: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) -> fmt::Result {
        if std::mem::replace(&mut self.is_begun, true) {
            self.writer.write_char(' ')?;
        }
        if field.name() != "message" {
            write!(self.writer, "{}=", field.name())?;
        }
        let mut line = OneLine::new(&mut self.writer);
        let mut bounded = Bounded::new(&mut line);
        let written = bounded.write_fmt(value);
        if bounded.is_full() {
            return line.write_char('…');
        }
        written
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.result = self.result.and_then(|()| self.write(field, format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.result = self.result.and_then(|()| match field.name() {
            "message" => self.write(field, format_args!("{value}")),
            _ => self.write(field, format_args!("{value:?}")),
        });
    }
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
        assert_eq!(
            line,
            "said: x 2026 INFO forged\\u{1b}[2J count=3 text=\"x\\n2026 INFO forged\\u{1b}[2J\" \
             shown=x 2026 INFO forged\\u{1b}[2J\n"
        );
    }

    #[test]
    fn a_log_line_has_a_bounded_length() {
        let long = "é".repeat(1 << 20);
        let line = logged(|| tracing::info!(%long, "said: {long}"));
        assert!(line.len() < 3 * MAX_VALUE_BYTES, "{}", line.len());
        assert!(line.ends_with("…\n"));
    }
}
