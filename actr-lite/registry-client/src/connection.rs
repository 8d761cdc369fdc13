use std::{future::poll_fn, task::Poll, time::Duration};

use actr_lite_clock::Clock;
use actr_lite_net::message_socket::{Incoming, MessageSocket, SocketError};
use actr_lite_wire::proto::SignalingEnvelope;
use futures_util::FutureExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

/// How long the close handshake may hold up a node that ends.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A signaling connection that nobody waits for to take what is sent: what it does not take at once follows while it is
/// read.
pub(crate) struct Connection<S> {
    socket: MessageSocket<S>,
    is_writing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(socket: MessageSocket<S>) -> Self {
        Self {
            socket,
            is_writing: false,
        }
    }

    /// Whether it has taken all that was sent.
    pub(crate) fn can_send(&self) -> bool {
        !self.is_writing
    }

    /// Sends a message, of which at most one waits.
    pub(crate) fn send(&mut self, mut envelope: Box<SignalingEnvelope>) -> Result<(), SocketError> {
        envelope.timestamp = Some(Clock::start().timestamp());
        let written = self.socket.send(&*envelope).now_or_never();
        self.wrote(written)
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&mut self) -> Result<(), SocketError> {
        let written = self.socket.ping().now_or_never();
        self.wrote(written)
    }

    fn wrote(&mut self, written: Option<Result<(), SocketError>>) -> Result<(), SocketError> {
        self.is_writing = written.is_none();
        written.unwrap_or(Ok(()))
    }

    /// What comes next, or `None` once it has taken all that was sent. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Result<Incoming, SocketError>> {
        poll_fn(|cx| {
            // An error is met again by the read.
            if self.is_writing && self.socket.poll_flush(cx).is_ready() {
                self.is_writing = false;
                return Poll::Ready(None);
            }
            self.socket.poll_next(cx).map(Some)
        })
        .await
    }

    /// Says good-bye.
    pub(crate) async fn close(mut self) {
        // Whoever does not take part in the handshake just loses the socket.
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(None)).await;
    }
}
