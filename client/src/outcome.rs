use std::{fmt, time::Duration};

use actr_lite::{ResumeProgress, StreamId};
use serde::Serialize;

use crate::reception::Reception;

/// How it went, as it is printed: as a line for people, or as a JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Outcome {
    stream_id: String,
    expected: u64,
    received: u64,
    bytes: u64,
    duration_ms: u64,
    frames_per_s: u64,
    missing: u64,
    out_of_order: u64,
    /// Frames for streams that nobody had registered.
    unknown_frames: u64,
    /// How many times a server took over from another, or from itself.
    resumes: u64,
    /// Frames that came again and were dropped.
    duplicates: u64,
    /// Who sent.
    servers: Vec<String>,
    #[serde(skip)]
    duration: Duration,
}

impl Outcome {
    pub(crate) fn new(
        stream_id: &StreamId,
        expected: u64,
        reception: &Reception,
        progress: ResumeProgress,
        duration: Duration,
        unknown_frames: u64,
    ) -> Self {
        let received = reception.received();
        let seconds = duration.as_secs_f64();
        Self {
            stream_id: stream_id.to_string(),
            expected,
            received,
            bytes: reception.bytes(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            frames_per_s: if seconds > 0.0 {
                (received as f64 / seconds).round() as u64
            } else {
                0
            },
            missing: reception.missing(),
            out_of_order: reception.out_of_order(),
            unknown_frames,
            resumes: progress.resumes,
            duplicates: progress.duplicates,
            servers: progress.servers.iter().map(ToString::to_string).collect(),
            duration,
        }
    }

    /// Whether every message came, in order.
    pub(crate) fn is_success(&self) -> bool {
        self.received == self.expected && self.missing == 0 && self.out_of_order == 0
    }

    /// What is not as it should be.
    pub(crate) fn shortfall(&self) -> String {
        format!(
            "{} of {} messages arrived, {} missing, {} out of order",
            self.received, self.expected, self.missing, self.out_of_order
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {}/{} messages of stream {} ({} bytes) in {:.3} s, {} messages/s, {} missing, {} out of order",
            self.received,
            self.expected,
            self.stream_id,
            self.bytes,
            self.duration.as_secs_f64(),
            self.frames_per_s,
            self.missing,
            self.out_of_order
        )?;
        if self.resumes > 0 {
            write!(
                f,
                ", resumed {} times at {} servers, {} duplicates dropped",
                self.resumes,
                self.servers.len(),
                self.duplicates
            )?;
        }
        if self.unknown_frames > 0 {
            write!(f, ", {} frames of unknown streams", self.unknown_frames)?;
        }
        Ok(())
    }
}
