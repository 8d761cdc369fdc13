use std::time::Duration;

use tokio::time::Instant;

/// How much a connection is used.
#[derive(Debug)]
pub(crate) struct Usage {
    users: usize,
    /// When the last of them left.
    unused_since: Instant,
    /// It takes no more: it is being closed as unused.
    retired: bool,
}

impl Usage {
    /// Of a connection that nobody uses yet.
    pub(crate) fn new() -> Self {
        Self {
            users: 0,
            unused_since: Instant::now(),
            retired: false,
        }
    }

    /// One more uses it; false if it takes no more.
    pub(crate) fn enter(&mut self) -> bool {
        self.users += usize::from(!self.retired);
        !self.retired
    }

    /// One that uses it brings another, whatever happens to the connection.
    pub(crate) fn join(&mut self) {
        self.users += 1;
    }

    pub(crate) fn leave(&mut self) {
        self.users -= 1;
        if self.users == 0 {
            self.unused_since = Instant::now();
        }
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired
    }

    /// Takes no more from now on, if nobody has used it, and no stream has come over it, for this long; otherwise when to
    /// check again.
    pub(crate) fn retire(
        &mut self,
        no_stream_since: Instant,
        idle_timeout: Duration,
        now: Instant,
    ) -> Result<(), Instant> {
        if self.users > 0 {
            return Err(now + idle_timeout);
        }
        let due = self.unused_since.max(no_stream_since) + idle_timeout;
        if due > now {
            return Err(due);
        }
        self.retired = true;
        Ok(())
    }
}
