//! What a server remembers of its requests.

use std::sync::Mutex;

use actr_lite::SendError;

/// What a server was asked, and how the streams ended that its receiver did not want to the end.
#[derive(Default)]
pub(crate) struct Log {
    asked: Mutex<Vec<u64>>,
    stopped: Mutex<Vec<SendError>>,
}

impl Log {
    /// Behind which frame, for each request.
    pub(crate) fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }

    /// One more request; how many came before it.
    pub(crate) fn note_asked(&self, after: u64) -> usize {
        let mut asked = self.asked.lock().unwrap();
        asked.push(after);
        asked.len() - 1
    }

    pub(crate) fn note_stopped(&self, error: SendError) {
        self.stopped.lock().unwrap().push(error);
    }

    pub(crate) fn stopped(&self) -> Vec<SendError> {
        self.stopped.lock().unwrap().clone()
    }
}
