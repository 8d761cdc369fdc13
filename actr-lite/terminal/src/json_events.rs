use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format::Writer},
    registry::LookupSpan,
};

use crate::json_line::JsonLine;

/// Writes each event as a JSON object in a line of its own: `timestamp`, `level`, `target`, `message`, and each of its fields
/// as a member. The spans that it is in are one text, as in a log line for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonEvents;

impl<S, N> FormatEvent<S, N> for JsonEvents
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = JsonLine::new(*metadata.level());
        line.text("target", &metadata.target());
        event.record(&mut line);
        let mut spans = String::new();
        for span in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            if !spans.is_empty() {
                spans.push(':');
            }
            spans.push_str(span.name());
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                spans.push_str(&format!("{{{fields}}}"));
            }
        }
        if !spans.is_empty() {
            line.text("span", &spans);
        }
        writer.write_str(&line.end())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::one_line_fields::{OneLineFields, tests::Log};

    #[test]
    fn each_field_is_a_member_and_keeps_its_type() {
        let written = Log::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .fmt_fields(OneLineFields)
            .event_format(JsonEvents)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("call", route = "a.B").entered();
            let hostile = "x\n\"}\u{1b}[2J";
            tracing::warn!(stream = %"abc", frames = 3_u64, left = -1, is_last = true, text = hostile, level = 1.5, "said: {hostile}");
        });
        let line = written.text();
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
        let mut value: Value = serde_json::from_str(&line).unwrap();
        let time = value["timestamp"].take();
        assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
        let expected = json!({
            "timestamp": null, "level": "WARN", "target": module_path!(), "message": "said: x\n\"}\u{1b}[2J", "stream": "abc",
            "frames": 3, "left": -1, "is_last": true, "text": "x\n\"}\u{1b}[2J", "field.level": "1.5",
            "span": "call{route=\"a.B\"}",
        });
        assert_eq!(value, expected);
    }
}
