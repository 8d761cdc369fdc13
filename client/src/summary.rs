use std::fmt;

use actr_lite::ResumableStream;
use anyhow::Context as _;
use serde::Serialize;

/// The result of a stream, printed as a line for people or as a JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    stream_id: String,
    expected: u64,
    received: u64,
    bytes: u64,
    duration_ms: u64,
    frames_per_s: u64,
    missing: u64,
    out_of_order: u64,
    /// Frames for streams that were not registered, or from another sender than the registered one.
    unknown_frames: u64,
    /// How many times the stream was resumed, at another server or the same one.
    resumes: u64,
    /// Frames that arrived again and were dropped.
    duplicates: u64,
    servers: Vec<String>,
    #[serde(skip)]
    seconds: f64,
}

impl Summary {
    pub(crate) fn new(stream: &ResumableStream, expected: u64, unknown_frames: u64) -> Self {
        let progress = stream.progress();
        let (received, seconds) = (progress.delivered, progress.elapsed.as_secs_f64());
        Self {
            stream_id: stream.stream_id().to_string(),
            expected,
            received,
            bytes: progress.bytes,
            duration_ms: u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
            // Without any time there is no rate: the cast turns NaN into 0.
            frames_per_s: (received as f64 / seconds).round() as u64,
            missing: expected.saturating_sub(received),
            out_of_order: progress.out_of_order,
            unknown_frames,
            resumes: progress.resumes,
            duplicates: progress.duplicates,
            servers: progress.servers.iter().map(ToString::to_string).collect(),
            seconds,
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// What is missing, in a sentence.
    pub(crate) fn shortfall(&self) -> String {
        format!(
            "stream {} is not complete: {} of {} messages arrived, {} missing",
            self.stream_id, self.received, self.expected, self.missing
        )
    }

    pub(crate) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        let text = match as_json {
            true => serde_json::to_string(self)?,
            false => self.to_string(),
        };
        actr_lite_cli::print(&format!("{text}\n")).context("the summary cannot be printed")
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {}/{} messages of stream {} ({} bytes) in {:.3} s, {} messages/s, {} missing, {} out of order",
            self.received,
            self.expected,
            self.stream_id,
            self.bytes,
            self.seconds,
            self.frames_per_s,
            self.missing,
            self.out_of_order
        )?;
        if self.resumes > 0 {
            let (resumes, servers, duplicates) = (self.resumes, self.servers.len(), self.duplicates);
            write!(
                f,
                ", resumed {resumes} times at {servers} servers, {duplicates} duplicates dropped"
            )?;
        }
        if self.unknown_frames > 0 {
            write!(f, ", {} frames of unknown streams", self.unknown_frames)?;
        }
        Ok(())
    }
}
