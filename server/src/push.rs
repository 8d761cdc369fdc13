use std::{fmt::Write as _, ops::Range, time::Duration};

use actr_lite::{SendError, StreamSender};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{info, warn};

/// Room for the usual text, so that its buffer does not grow under the first message.
const TEXT_ROOM: usize = 128;

/// One stream on its way: says how it ends, however that comes.
pub(crate) struct Push {
    sender: Option<StreamSender>,
    stream_id: String,
    count: u64,
    /// The number of the last message that the receiver has, or is being sent.
    sent: u64,
    interval: Option<Duration>,
    /// What a text that is shorter than this is filled up from.
    filling: String,
    has_told: bool,
}

impl Push {
    /// The messages whose numbers follow those of `frames`, which count from 0.
    pub(crate) fn new(
        sender: StreamSender,
        frames: Range<u64>,
        interval: Option<Duration>,
        message_bytes: usize,
    ) -> Self {
        let stream_id = sender.stream_id().to_string();
        Self {
            sender: Some(sender),
            stream_id,
            count: frames.end,
            sent: frames.start,
            interval,
            filling: "x".repeat(message_bytes),
            has_told: false,
        }
    }

    /// Sends all messages, and finishes the stream.
    pub(crate) async fn run(mut self) {
        let Some(sender) = self.sender.take() else { return };
        match self.push(sender).await {
            Ok(()) => info!("stream {}: all {} frames sent", self.stream_id, self.count),
            Err(error) => self.warn(&error.to_string()),
        }
        self.has_told = true;
    }

    async fn push(&mut self, mut sender: StreamSender) -> Result<(), SendError> {
        let mut pace = self.interval.filter(|interval| !interval.is_zero()).map(|interval| {
            let mut pace = interval_at(Instant::now(), interval);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        let mut text = String::with_capacity(TEXT_ROOM.max(self.filling.len()));
        while self.sent < self.count {
            if let Some(pace) = &mut pace {
                tokio::select! {
                    biased;
                    error = sender.closed() => return Err(error),
                    _ = pace.tick() => {}
                }
            }
            text.clear();
            // Writing to a string can't fail.
            let _ = write!(text, "[server] Stream message {} for {}", self.sent + 1, self.stream_id);
            if let Some(filling) = self.filling.get(text.len()..) {
                text.push_str(filling);
            }
            sender.send(&text).await?;
            self.sent += 1;
        }
        sender.finish().await
    }

    fn warn(&self, reason: &str) {
        warn!(
            "stream {}: ended after {} of {} frames: {reason}",
            self.stream_id, self.sent, self.count
        );
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        if !self.has_told {
            self.warn("the server stopped before the stream was done");
        }
    }
}
