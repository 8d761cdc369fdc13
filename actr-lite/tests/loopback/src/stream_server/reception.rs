//! A stream as its client receives it.

use actr_lite::{ResumableStream, ResumeError, StreamProgress};

use crate::{harness::deadline::within, stream_server::seen::Seen};

/// A resumable stream, and what its callback got.
pub(crate) struct Reception {
    pub(crate) stream: ResumableStream,
    pub(crate) seen: Seen,
    /// How many frames the stream has.
    pub(crate) frames: u64,
}

impl Reception {
    /// Waits for the frame of this number.
    pub(crate) async fn reaches(&self, number: u64) {
        self.seen.last_is(number).await;
    }

    /// Waits for the end: all frames came, once and in order.
    pub(crate) async fn comes_whole(&self) -> StreamProgress {
        within(self.stream.ended()).await.unwrap();
        self.seen.assert_all(self.frames);
        self.stream.progress()
    }

    /// Waits for the end, which is to be an error.
    pub(crate) async fn fails(&self) -> ResumeError {
        within(self.stream.ended()).await.unwrap_err()
    }
}
