use std::{future::pending, sync::Weak, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    lane::websocket::connection::Connection,
    peers::pool::PoolPlace,
    session::{receiver::SessionReceiver, session::Session},
};
use actr_lite_engine::accounts::Admission;

/// A connection, and the session over it.
pub(super) struct PeerConnection {
    pub(super) session: Weak<Session>,
    pub(super) receiver: SessionReceiver,
    pub(super) connection: Connection,
    /// It is closed when nobody has used it for so long; `None` if the peer wants to keep it.
    pub(super) idle_timeout: Option<Duration>,
    /// Until the connection has ended.
    pub(super) admission: Admission,
    pub(super) place: PoolPlace,
}

impl PeerConnection {
    /// Reads and writes until the connection ends. One that nobody uses is closed.
    pub(super) fn run(self) -> impl Future<Output = ()> + Send + use<> {
        let Self {
            session,
            receiver,
            connection,
            idle_timeout,
            admission,
            place,
        } = self;
        let idle = idle_timeout.map(|timeout| (session, timeout));
        // Boxed, as the block below would hold it twice.
        let driven = Box::pin(connection.run(receiver));
        async move {
            tokio::select! {
                // It is what wakes this task as a rule.
                biased;
                () = driven => {}
                () = close_when_unused(idle) => {}
            }
            drop((admission, place));
        }
    }
}

/// Closes a session that nobody has used for so long; the rest is for its connection. Never ends.
pub(super) async fn close_when_unused(idle: Option<(Weak<Session>, Duration)>) {
    if let Some((session, timeout)) = idle {
        let mut look_at = Instant::now() + timeout;
        loop {
            sleep_until(look_at).await;
            let session = session.upgrade();
            match session.and_then(|session| session.close_if_unused(timeout)) {
                Some(later) => look_at = later,
                None => break,
            }
        }
    }
    pending().await
}
