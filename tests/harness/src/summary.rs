//! What `client --json` prints.

use programs::Finished;
use serde::Deserialize;

/// What `client --json` prints: one JSON object. It may have more keys.
#[derive(Debug, Clone, Deserialize)]
pub struct Summary {
    /// The stream's id.
    pub stream_id: String,
    /// How many messages were asked for.
    pub expected: u64,
    /// How many arrived.
    pub received: u64,
    /// Their bytes.
    pub bytes: u64,
    /// From the first request to the last frame, in milliseconds.
    pub duration_ms: serde_json::Number,
    /// The rate; there is none if nothing arrived.
    pub frames_per_s: Option<serde_json::Number>,
    /// How many did not arrive.
    pub missing: u64,
    /// How many arrived before one with a lower number.
    pub out_of_order: u64,
    /// How many times the stream was resumed, at another server or the same one.
    pub resumes: u64,
    /// Frames that came again and were dropped.
    pub duplicates: u64,
    /// The actor ids that sent, in the order of their first frame.
    pub servers: Vec<String>,
}

impl Summary {
    /// What a client that was run with `--json` says.
    ///
    /// # Panics
    /// If its standard output is anything but one such object on one line.
    #[track_caller]
    pub fn of(client: &Finished) -> Self {
        assert_eq!(client.stdout.lines().count(), 1, "one line on stdout: {client:#?}");
        serde_json::from_str(&client.stdout).unwrap_or_else(|error| panic!("{error}: {}", client.stdout))
    }

    /// The summary of a client that got everything.
    ///
    /// # Panics
    /// If it did not: it failed, or messages are missing or out of order.
    #[track_caller]
    pub fn of_success(client: &Finished, count: u64) -> Self {
        assert_eq!(client.code(), Some(0), "{}", client.stderr);
        let summary = Self::of(client);
        let numbers = (
            summary.expected,
            summary.received,
            summary.missing,
            summary.out_of_order,
        );
        assert_eq!(numbers, (count, count, 0, 0), "{summary:?}");
        summary
    }

    /// The bytes of the payloads of a whole stream of the shipped server's.
    pub fn bytes_of_all(&self) -> u64 {
        let stream_id = &self.stream_id;
        let lens =
            (1..=self.expected).map(|number| format!("[server] Stream message {number} for {stream_id}").len() as u64);
        lens.sum()
    }
}
