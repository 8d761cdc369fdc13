//! What one reader of events is told, and when, as plain data. Time is an argument.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;
use serde_json::Value;

use crate::{
    merge_patch::diff,
    recent_events::Since,
    status::{Status, WithEvents},
};

/// How often the status is looked at, as long as somebody reads: as often as a person sees a number change.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After so much silence a comment is sent: proxies end connections that are silent for a minute.
const COMMENT_AFTER: Duration = Duration::from_secs(15);

/// How long one stream of events lasts, so that a reader that is gone without a word holds its place no longer. A browser
/// connects again by itself, and misses nothing.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// How long a browser waits before it connects again, in milliseconds.
const RETRY_MS: u32 = 1000;

/// One reader.
#[derive(Debug)]
pub struct EventStream {
    began: Duration,
    /// The last event that it knows from before, if it was here before.
    knew: Option<u64>,
    /// The number of the last event that it was told.
    known: u64,
    /// The status as it knows it.
    last: Option<Value>,
    /// When the status was looked at.
    looked: Duration,
    /// When something was said.
    said: Duration,
}

impl EventStream {
    /// For a reader, which may have been here before and know the events up to this number.
    pub fn new(knew: Option<u64>, now: Duration) -> Self {
        Self {
            began: now,
            knew,
            known: 0,
            last: None,
            looked: now,
            said: now,
        }
    }

    /// The number of the last event that the reader was told.
    pub fn known(&self) -> u64 {
        self.known
    }

    /// When there may be something to say by the clock.
    pub fn next_look(&self) -> Duration {
        match self.last {
            None => self.began,
            Some(_) => self.looked + LOOK_EVERY,
        }
    }

    /// Whether it has lasted long enough.
    pub fn is_over(&self, now: Duration) -> bool {
        now >= self.began + LIFETIME
    }

    /// What to tell the reader: what happened since the last time, and how the status has changed if it is time to look.
    /// Nothing if there is nothing. `status` is asked only if it is needed.
    pub fn poll(&mut self, now: Duration, happened: Since, status: impl FnOnce() -> Status) -> Option<String> {
        let mut said = String::new();
        if self.last.is_none() {
            self.looked = now;
            self.begin(&mut said, &happened, &status());
        } else {
            self.tell_events(&mut said, &happened);
            if now >= self.next_look() {
                self.looked = now;
                self.tell_change(&mut said, &status());
            }
        }
        if said.is_empty() && now >= self.said + COMMENT_AFTER {
            said.push_str(":\n\n");
        }
        if said.is_empty() {
            return None;
        }
        self.said = now;
        Some(said)
    }

    /// The status with all events that there are, and how many have come and gone since the reader was here.
    fn begin(&mut self, said: &mut String, happened: &Since, status: &Status) {
        let _ = write!(said, "retry: {RETRY_MS}\n\n");
        // The latest event is always among them.
        self.known = happened.events.last().map_or(0, |noted| noted.id);
        // A number that there was not yet is one of another life of the program.
        if let Some(knew) = self.knew.filter(|knew| *knew <= self.known) {
            let kept = happened.events.iter().filter(|noted| noted.id > knew).count();
            tell_missed(said, (self.known - knew).saturating_sub(kept as u64));
        }
        let events = happened;
        tell(said, "status", None, &WithEvents { status, events });
        self.last = serde_json::to_value(status).ok();
    }

    fn tell_events(&mut self, said: &mut String, happened: &Since) {
        tell_missed(said, happened.missed);
        for noted in &happened.events {
            tell(said, "event", Some(noted.id), noted.as_ref());
            self.known = noted.id;
        }
    }

    fn tell_change(&mut self, said: &mut String, status: &Status) {
        let Ok(mut new) = serde_json::to_value(status) else {
            return;
        };
        let Some(last) = &mut self.last else {
            return;
        };
        // That time has passed is no news, but belongs to every change.
        let time = new["program"]["time"].take();
        let time_before = last["program"]["time"].take();
        let patch = diff(last, &new);
        match patch {
            Some(mut patch) => {
                patch["program"]["time"] = time.clone();
                new["program"]["time"] = time;
                tell(said, "patch", None, &patch);
                *last = new;
            }
            None => last["program"]["time"] = time_before,
        }
    }
}

fn tell_missed(said: &mut String, events: u64) {
    if events > 0 {
        tell(said, "missed", None, &serde_json::json!({ "events": events }));
    }
}

/// One message of server-sent events. JSON has no line breaks.
fn tell(said: &mut String, name: &str, id: Option<u64>, data: &impl Serialize) {
    let Ok(data) = serde_json::to_string(data) else { return };
    if let Some(id) = id {
        let _ = writeln!(said, "id: {id}");
    }
    let _ = write!(said, "event: {name}\ndata: {data}\n\n");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        event::{Event, Kind, Noted, Part},
        status::{Program, Readiness},
    };

    fn status(reason: &str, time: &str) -> Status {
        Status {
            program: Program {
                version: "1",
                started: "then".into(),
                time: time.into(),
            },
            readiness: Readiness::from(vec![reason.to_owned()]),
            page: 1,
            registry: None,
            node: None,
        }
    }

    fn noted(id: u64) -> Since {
        Since {
            missed: 0,
            events: vec![Arc::new(Noted {
                id,
                time: "now".into(),
                event: Event::new(Part::Node, Kind::Draining),
            })],
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn poll(stream: &mut EventStream, at: Duration, happened: Since, reason: &str) -> Option<String> {
        stream.poll(at, happened, || status(reason, &format!("{at:?}")))
    }

    #[test]
    fn a_reader_gets_the_status_first_and_then_what_changes() {
        let mut stream = EventStream::new(None, SECOND);
        let first = poll(&mut stream, SECOND, Since::default(), "a").unwrap();
        assert!(first.starts_with("retry: 1000\n\nevent: status\ndata: {"), "{first}");
        assert!(
            first.contains(r#""reasons":["a"]"#) && first.ends_with("\n\n"),
            "{first}"
        );
        assert_eq!(poll(&mut stream, 2 * SECOND, Since::default(), "a"), None);
        let patch = poll(&mut stream, 3 * SECOND, Since::default(), "b").unwrap();
        let expected = r#"{"program":{"time":"3s"},"readiness":{"reasons":["b"]}}"#;
        assert_eq!(patch, format!("event: patch\ndata: {expected}\n\n"));
    }

    #[test]
    fn an_event_is_told_at_once_and_the_status_once_a_second() {
        let mut stream = EventStream::new(None, SECOND);
        let first = poll(&mut stream, SECOND, noted(4), "a").unwrap();
        assert!(
            first.contains(r#""events":[{"id":4,"#) && !first.contains("event: event"),
            "{first}"
        );
        let look = stream.next_look();
        assert_eq!(look, 2 * SECOND);
        let told = stream
            .poll(SECOND + SECOND / 2, noted(5), || panic!("it is not time"))
            .unwrap();
        assert!(told.starts_with("id: 5\nevent: event\ndata: {\"id\":5,"), "{told}");
        assert_eq!(stream.known(), 5);
        let missed = Since { missed: 3, ..noted(9) };
        let told = stream
            .poll(SECOND + SECOND / 2, missed, || panic!("it is not time"))
            .unwrap();
        assert!(
            told.starts_with("event: missed\ndata: {\"events\":3}\n\nid: 9\n"),
            "{told}"
        );
    }

    #[test]
    fn a_reader_that_comes_back_is_told_how_much_it_has_lost() {
        let first = |knew| poll(&mut EventStream::new(Some(knew), SECOND), SECOND, noted(9), "a").unwrap();
        assert!(first(4).contains("event: missed\ndata: {\"events\":4}\n\nevent: status\n"));
        for knew in [8, 9, 10] {
            assert!(
                !first(knew).contains("missed"),
                "{knew}: nothing is lost, or of another life"
            );
        }
    }

    #[test]
    fn silence_is_broken_before_a_proxy_ends_it() {
        let mut stream = EventStream::new(None, SECOND);
        poll(&mut stream, SECOND, Since::default(), "a");
        let mut comments = 0;
        for second in 2..=61 {
            match poll(&mut stream, second * SECOND, Since::default(), "a") {
                Some(said) if said == ":\n\n" => comments += 1,
                said => assert_eq!(said, None),
            }
        }
        assert_eq!(comments, 4);
        assert!(!stream.is_over(600 * SECOND) && stream.is_over(601 * SECOND));
    }
}
