//! One HTTP connection, from its first request to its end.

use std::{error::Error, future::Future, time::Duration};

use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::HttpService,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use crate::http_socket::{HttpSocket, Unreadable};

/// The most bytes of a request's head: a signaling query has under 1 KiB.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long a running request may take when its connection has to close.
const GRACE: Duration = Duration::from_secs(2);

/// A connection that speaks HTTP no more.
pub struct Served {
    socket: HttpSocket,
    /// What could not be read, if the peer did wrong.
    pub unreadable: Option<Unreadable>,
    /// Why it broke, for a log.
    pub error: Option<hyper::Error>,
}

impl Served {
    /// Lets the peer read what was said last, and closes. Bounded in time and in what it reads.
    pub async fn end(self) {
        self.socket.end(self.unreadable.as_ref()).await;
    }
}

/// Serves requests until the peer ends the connection, or `is_over` completes; a request that runs then has 2 s. `None` if
/// the connection was upgraded: it goes on in another task.
///
/// A head may take `header_timeout`, and so may the pause before it.
pub async fn serve<S, B>(
    socket: HttpSocket,
    header_timeout: Duration,
    service: S,
    is_over: impl Future<Output = ()>,
) -> Option<Served>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    B::Data: Send,
{
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let served = tokio::select! {
        served = &mut connection => served,
        () = is_over => {
            Pin::new(&mut connection).graceful_shutdown();
            timeout(GRACE, &mut connection).await.unwrap_or(Ok(()))
        }
    };
    let parts = connection.into_parts()?;
    Some(Served {
        unreadable: Unreadable::from_end(&served, &parts.read_buf),
        error: served.err(),
        socket: parts.io.into_inner(),
    })
}
