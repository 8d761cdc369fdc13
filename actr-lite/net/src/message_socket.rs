//! A WebSocket that carries protobuf messages, as both ends of signaling use it.
//!
//! `actr_lite_wire::websocket` knows the frames. Here they meet a stream: pings are answered, a close is answered with a
//! close, and no more than one message and one pong waits to be written.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actr_lite_wire::websocket::{
    CloseFrame, ControlFrame, Decoder, Event, HEADER_ROOM, ProtocolError, Role, encode_control, seal,
};
use bytes::{Buf as _, Bytes, BytesMut};
use prost::Message;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_util::io::poll_read_buf;

/// How much is read at a time, and held by every connection: enough for several of the usual envelopes.
const READ_LEN: usize = 4 * 1024;

/// One end of a WebSocket after the upgrade.
pub struct MessageSocket<S> {
    stream: S,
    role: Role,
    decoder: Decoder,
    received: BytesMut,
    /// Whole frames, but for what is written of the first one.
    unsent: VecDeque<Bytes>,
    /// The answer to the newest ping. Older pings need none (RFC 6455 §5.5.3).
    pong: Option<Bytes>,
    /// A close frame is sent or in `unsent`: no other frame may follow.
    is_closing: bool,
    /// What the peer's close frame says, if there was one.
    peer_close: Option<Option<CloseFrame>>,
}

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A binary message.
    Message(Bytes),
    /// A text message, which is neither checked nor delivered.
    Text,
    /// A ping or a pong. A ping is answered by the next call of [`MessageSocket::next`].
    SignOfLife,
}

/// Why there is no more to read or to write.
#[derive(Debug, Error)]
pub enum SocketError {
    /// The peer has closed the connection, and was answered.
    #[error("the peer closed the connection")]
    Closed(Option<CloseFrame>),
    /// The stream ended before a close frame.
    #[error("the connection ended without a close frame")]
    Cut,
    /// The peer broke the protocol, or sent too long a message.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<S: AsyncRead + AsyncWrite + Unpin> MessageSocket<S> {
    /// A socket for one `role` of an upgraded stream. `received` is what came behind the upgrade in the same read. A
    /// message over `max_message_len` bytes, whole or in fragments, is an error.
    pub fn new(stream: S, role: Role, max_message_len: usize, received: BytesMut) -> Self {
        Self {
            stream,
            role,
            decoder: Decoder::new(role, max_message_len),
            received,
            unsent: VecDeque::new(),
            pong: None,
            is_closing: false,
            peer_close: None,
        }
    }

    /// What comes next. Meanwhile it writes what is left to write.
    ///
    /// # Errors
    /// When nothing more can come.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Incoming, SocketError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Writes a message, and waits until the stream has taken it.
    ///
    /// # Errors
    /// When the stream fails.
    ///
    /// # Cancel safety
    /// If the future is dropped, what is left of the message goes ahead of whatever is written next.
    pub async fn send(&mut self, message: &impl Message) -> Result<(), SocketError> {
        let mut frame = Vec::with_capacity(HEADER_ROOM + message.encoded_len());
        frame.resize(HEADER_ROOM, 0);
        message.encode_raw(&mut frame);
        let start = seal(&mut frame, self.mask());
        self.write(Bytes::from(frame).slice(start..)).await
    }

    /// Asks the peer for a sign of life.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn ping(&mut self) -> Result<(), SocketError> {
        self.write(self.control(ControlFrame::Ping(&[]))).await
    }

    /// Says that nothing more comes, and waits until the peer has closed the connection too. What it still sends is
    /// thrown away: left unread it would cost the peer the close frame. The server ends its half of the stream first
    /// (RFC 6455 §7.1.1).
    ///
    /// A peer that does not take part keeps this waiting for ever: it is for a timeout around it.
    ///
    /// # Errors
    /// When the stream fails.
    pub async fn close(&mut self, frame: Option<&CloseFrame>) -> Result<(), SocketError> {
        self.push_close(frame);
        poll_fn(|cx| self.poll_flush(cx)).await?;
        if self.role == Role::Server {
            self.stream.shutdown().await?;
        }
        // An array would be part of every session's task from its start.
        let mut discarded = vec![0; READ_LEN];
        while self.stream.read(&mut discarded).await? > 0 {}
        Ok(())
    }

    async fn write(&mut self, frame: Bytes) -> Result<(), SocketError> {
        if !self.is_closing {
            self.unsent.push_back(frame);
        }
        Ok(poll_fn(|cx| self.poll_flush(cx)).await?)
    }

    /// [`Self::next`], as a poll.
    ///
    /// # Errors
    /// When nothing more can come.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, SocketError>> {
        loop {
            let flushed = self.poll_flush(cx);
            if let Some(frame) = &self.peer_close {
                // Whether the peer still takes the answer to its close changes nothing.
                let _ = ready!(flushed);
                return Poll::Ready(Err(SocketError::Closed(frame.clone())));
            }
            // A peer that does not take its pong is still read.
            if let Poll::Ready(result) = flushed {
                result?;
            }
            match self.decoder.decode(&mut self.received)? {
                Some(Event::Binary(message)) => return Poll::Ready(Ok(Incoming::Message(message))),
                Some(Event::Text) => return Poll::Ready(Ok(Incoming::Text)),
                Some(Event::Ping(payload)) => {
                    self.pong = Some(self.control(ControlFrame::Pong(&payload)));
                    return Poll::Ready(Ok(Incoming::SignOfLife));
                }
                Some(Event::Pong(_)) => return Poll::Ready(Ok(Incoming::SignOfLife)),
                Some(Event::Close(frame)) => {
                    let answer = frame.as_ref().map(|frame| CloseFrame::new(frame.code(), ""));
                    self.push_close(answer.as_ref());
                    self.peer_close = Some(frame);
                }
                None => {
                    let room = room(self.decoder.wanted(), self.received.len());
                    self.received.reserve(room);
                    if ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.received))? == 0 {
                        return Poll::Ready(Err(SocketError::Cut));
                    }
                }
            }
        }
    }

    /// Writes what is left to write.
    ///
    /// # Errors
    /// When the stream fails.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(frame) = self.unsent.front_mut() else {
                match self.pong.take() {
                    Some(pong) if !self.is_closing => self.unsent.push_back(pong),
                    _ => return Pin::new(&mut self.stream).poll_flush(cx),
                }
                continue;
            };
            let len = ready!(Pin::new(&mut self.stream).poll_write(cx, frame))?;
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            frame.advance(len);
            if frame.is_empty() {
                self.unsent.pop_front();
            }
        }
    }

    fn push_close(&mut self, frame: Option<&CloseFrame>) {
        if !self.is_closing {
            let close = self.control(ControlFrame::Close(frame));
            self.unsent.push_back(close);
            self.is_closing = true;
        }
    }

    fn control(&self, frame: ControlFrame<'_>) -> Bytes {
        Bytes::copy_from_slice(&encode_control(frame, self.mask()))
    }

    fn mask(&self) -> Option<[u8; 4]> {
        self.role.masks().then(rand::random)
    }
}

/// How much room the next read gets, where so much is announced and so much is here: what is only announced may never
/// come, so memory at most doubles what has.
fn room(announced: usize, held: usize) -> usize {
    READ_LEN.max(announced.min(held))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actr_lite_wire::{proto::Pong, websocket::CloseCode};
    use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
    use tokio::io::{DuplexStream, duplex};
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{
            self,
            protocol::{Role as TheirRole, frame::coding::CloseCode as TheirCode},
        },
    };

    use super::*;

    const LIMIT: usize = 1000;

    /// One end of this kind, and one of an independent implementation.
    async fn pair(role: Role) -> (MessageSocket<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = duplex(64);
        let their_role = match role {
            Role::Client => TheirRole::Server,
            Role::Server => TheirRole::Client,
        };
        let socket = MessageSocket::new(ours, role, LIMIT, BytesMut::new());
        (socket, WebSocketStream::from_raw_socket(theirs, their_role, None).await)
    }

    fn message(seq: u64) -> Pong {
        Pong {
            seq,
            suggest_interval_secs: Some(5),
        }
    }

    #[tokio::test]
    async fn messages_go_both_ways_in_order() {
        for role in [Role::Client, Role::Server] {
            let (mut ours, mut theirs) = pair(role).await;
            let echo = async {
                for _ in 0..100 {
                    let echoed = theirs.next().await.unwrap().unwrap();
                    assert!(echoed.is_binary());
                    theirs.send(echoed).await.unwrap();
                }
            };
            let talk = async {
                for seq in 0..100 {
                    ours.send(&message(seq)).await.unwrap();
                    let Incoming::Message(echoed) = ours.next().await.unwrap() else {
                        panic!("not a message");
                    };
                    assert_eq!(Pong::decode(echoed).unwrap(), message(seq));
                }
            };
            tokio::join!(echo, talk);
        }
    }

    #[tokio::test]
    async fn a_ping_is_answered_with_its_payload() {
        let (mut ours, mut theirs) = pair(Role::Server).await;
        theirs
            .send(tungstenite::Message::Ping("are you?".into()))
            .await
            .unwrap();
        assert_eq!(ours.next().await.unwrap(), Incoming::SignOfLife);
        assert!(ours.next().now_or_never().is_none());
        assert_eq!(
            theirs.next().await.unwrap().unwrap(),
            tungstenite::Message::Pong("are you?".into())
        );
    }

    #[tokio::test]
    async fn pings_whose_answers_are_not_read_take_no_memory() {
        let (mut ours, mut theirs) = pair(Role::Server).await;
        for _ in 0..1000 {
            theirs
                .feed(tungstenite::Message::Ping("are you?".into()))
                .await
                .unwrap();
            let _ = theirs.flush().now_or_never();
            while ours.next().now_or_never().is_some() {}
            assert!(ours.unsent.len() <= 1);
        }
    }

    #[tokio::test]
    async fn both_ends_close_with_the_code_of_the_first() {
        for role in [Role::Client, Role::Server] {
            let (mut ours, mut theirs) = pair(role).await;
            let frame = CloseFrame::new(CloseCode::POLICY_VIOLATION, "enough");
            let their_end = async {
                let Some(Ok(tungstenite::Message::Close(Some(close)))) = theirs.next().await else {
                    panic!("no close frame");
                };
                assert_eq!((close.code, &*close.reason), (TheirCode::Policy, "enough"));
                assert!(theirs.next().await.is_none());
                drop(theirs);
            };
            // A client of tungstenite waits for the server's end of the stream, and a server does not.
            let (closed, ()) = tokio::join!(ours.close(Some(&frame)), their_end);
            closed.unwrap();

            let (mut ours, mut theirs) = pair(role).await;
            theirs.close(None).await.unwrap();
            assert!(matches!(ours.next().await, Err(SocketError::Closed(None))));
            assert!(theirs.next().await.unwrap().unwrap().is_close());
        }
    }

    #[tokio::test]
    async fn a_message_of_which_a_part_was_sent_goes_ahead_of_the_close() {
        let (mut ours, mut theirs) = pair(Role::Server).await;
        let long = actr_lite_wire::proto::ErrorResponse {
            code: 1,
            message: "x".repeat(500),
        };
        assert!(ours.send(&long).now_or_never().is_none());
        let their_end = async {
            let message = theirs.next().await.unwrap().unwrap().into_data();
            assert_eq!(message, long.encode_to_vec());
            assert!(theirs.next().await.unwrap().unwrap().is_close());
            while theirs.next().await.is_some() {}
            drop(theirs);
        };
        let (closed, ()) = tokio::join!(ours.close(None), their_end);
        closed.unwrap();
    }

    #[tokio::test]
    async fn a_message_over_the_limit_is_an_error() {
        let (mut ours, mut theirs) = pair(Role::Server).await;
        let sending = theirs.send(tungstenite::Message::Binary(vec![0; LIMIT + 1].into()));
        tokio::select! {
            _ = sending => panic!("nobody reads so much"),
            received = ours.next() => {
                let error = received.unwrap_err();
                assert!(
                    matches!(error, SocketError::Protocol(ProtocolError::MessageTooLong { limit: LIMIT, .. })),
                    "{error:?}"
                );
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_ends_without_a_close_is_cut() {
        let (mut ours, theirs) = pair(Role::Client).await;
        let waited = tokio::time::timeout(Duration::from_secs(1), ours.next()).await;
        assert!(waited.is_err(), "it is open");
        drop(theirs);
        assert!(matches!(ours.next().await, Err(SocketError::Cut)));
    }

    #[test]
    fn memory_follows_what_has_come_and_not_what_is_announced() {
        assert_eq!(room(1 << 20, 0), READ_LEN);
        assert_eq!(room(1 << 20, 3 * READ_LEN), 3 * READ_LEN);
        assert_eq!(room(1, 3 * READ_LEN), READ_LEN);
    }
}
