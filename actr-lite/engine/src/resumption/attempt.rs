use actr_lite_wire::identity::ActrId;

use super::event::End;

/// One server's part of the stream, from the question to its release.
#[derive(Debug, Clone)]
pub(super) struct Attempt<S> {
    pub(super) server: ActrId,
    /// How many frames had been delivered before.
    begun_with: u64,
    /// The server shuts down.
    pub(super) is_leaving: bool,
    pub(super) ended: Option<(End, S)>,
    /// Its taking over was told.
    is_counted: bool,
}

impl<S> Attempt<S> {
    pub(super) fn new(server: ActrId, begun_with: u64) -> Self {
        Self {
            server,
            begun_with,
            is_leaving: false,
            ended: None,
            is_counted: false,
        }
    }

    /// Of a server whose agreement is no news.
    pub(super) fn agreed(server: ActrId, begun_with: u64) -> Self {
        Self {
            is_counted: true,
            ..Self::new(server, begun_with)
        }
    }

    /// Whether this server has sent a frame that was delivered.
    pub(super) fn has_delivered(&self, delivered: u64) -> bool {
        delivered > self.begun_with
    }

    /// Once: the server.
    pub(super) fn count(&mut self) -> Option<ActrId> {
        (!std::mem::replace(&mut self.is_counted, true)).then(|| self.server.clone())
    }

    /// Whether nothing is missing: if nobody said how many frames are wanted, the server's word is believed.
    pub(super) fn is_complete(&self, expected: Option<u64>, delivered: u64) -> bool {
        match (expected, &self.ended) {
            (Some(expected), _) => delivered >= expected,
            (None, Some((End::Finished { frames }, _))) => delivered >= *frames,
            (None, _) => false,
        }
    }
}
