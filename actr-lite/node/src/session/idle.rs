use std::time::Duration;

use tokio::time::Instant;

use crate::{lane::closing::Closing, session::session::Session};

impl Session {
    /// Closes the session if it was unused for this long; otherwise returns when to check again.
    ///
    /// Once it has decided to close, it serves no call of the peer, which may then make it again over another
    /// connection. To be called by the task that receives what the peer sends: a stream can't begin meanwhile.
    pub(crate) fn close_if_unused(&self, idle_timeout: Duration) -> Option<Instant> {
        let uplink = &self.uplink;
        // A stream that was asked for may begin with the next record.
        let may_begin = || self.environment.subscriptions.wait_for_any(self.peer());
        let no_stream_since = self.incoming.unused_since().filter(|_| !may_begin());
        let unsent = uplink.lane().unsent();
        // The lock is not held while the lane closes.
        let retired = uplink
            .usage()
            .retire(no_stream_since, unsent, idle_timeout, uplink.age());
        if let Err(look_at) = retired {
            return Some(uplink.at_age(look_at));
        }
        self.close(Closing::Idle);
        None
    }
}
