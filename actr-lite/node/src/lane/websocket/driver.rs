use std::{
    future::poll_fn,
    io,
    net::Shutdown,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use actr_lite_wire::{
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    websocket::{CloseCode, CloseFrame, Decoder, Role},
};
use bytes::BytesMut;
use socket2::SockRef;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    lane::{
        close_reason::CloseReason,
        receiver::Receiver,
        websocket::{
            exchange::{CLOSE_TIMEOUT, End, Exchange},
            outbox::{Outbox, Outgoing},
            socket::{Reader, Writer},
        },
    },
    limits::accounts::PeerAccount,
};

/// How much is read at once to be thrown away.
const DISCARDED_AT_ONCE: usize = 8 << 10;

/// One connection's way in and out.
pub(crate) struct Driver<R> {
    pub(crate) reader: Reader,
    pub(crate) writer: Arc<Writer>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) receiver: R,
    /// What the peer makes this node hold.
    pub(crate) account: Arc<PeerAccount>,
    /// How long the peer may take with what it has begun to send.
    pub(crate) stall_timeout: Duration,
    pub(crate) role: Role,
    pub(crate) max_message_len: usize,
    /// What came behind the handshake in the same read.
    pub(crate) leftover: BytesMut,
}

impl<R: Receiver> Driver<R> {
    /// Reads and writes until the connection ends; the receiver is told how, also when this future is dropped.
    pub(crate) async fn run(self) {
        let Self {
            reader,
            writer,
            outbox,
            receiver,
            account,
            stall_timeout,
            role,
            max_message_len,
            leftover,
        } = self;
        let mut ending = Ending {
            writer: Arc::clone(&writer),
            outbox: Arc::clone(&outbox),
            receiver,
            reason: None,
        };
        let started = Instant::now();
        let mut exchange = Exchange::new(
            reader,
            &writer,
            &outbox,
            Decoder::new(role, max_message_len),
            leftover,
            account,
            stall_timeout,
            started,
        );
        let mut timer = pin!(sleep_until(started));
        let end = poll_fn(|cx| exchange.poll(cx, &mut ending.receiver, timer.as_mut())).await;
        let (reason, answer) = match end {
            End::Closed(frame) => {
                ending.complain_of(&frame);
                ending.tell(CloseReason::Local(frame.reason().into()));
                // Closing with unread input would reset the connection, and lose what the peer has not read yet.
                let _ = timeout(CLOSE_TIMEOUT, wait_for_peer(&writer)).await;
                return;
            }
            End::Stuck(frame) => {
                ending.complain_of(&frame);
                (CloseReason::Local(frame.reason().into()), None)
            }
            End::Peer(frame) => {
                let code = frame.as_ref().map_or(CloseCode::NORMAL, |frame| frame.code());
                let reason = frame.map_or_else(PeerText::default, |frame| frame.reason().into());
                (
                    CloseReason::Closed {
                        code: code.value(),
                        reason,
                    },
                    Some(CloseFrame::new(code, "")),
                )
            }
            End::Broken(error) => (CloseReason::Lost(error.into()), None),
            End::Silent(silence) => (CloseReason::Silent(silence), None),
            End::Protocol(code, error) => {
                ending.receiver.complain(MisbehaviourKind::ProtocolViolation, &error);
                let answer = CloseFrame::new(code, error.clone());
                (CloseReason::Protocol(error.into()), Some(answer))
            }
        };
        let is_peers = matches!(reason, CloseReason::Closed { .. });
        ending.tell(reason);
        if let Some(frame) = answer {
            outbox.abandon(frame);
            let goodbye = async {
                poll_fn(|cx| {
                    loop {
                        if ready!(outbox.poll_write(&writer, cx))? == Outgoing::Closed {
                            return Poll::Ready(io::Result::Ok(()));
                        }
                    }
                })
                .await?;
                if is_peers {
                    writer.finish().await
                } else {
                    wait_for_peer(&writer).await
                }
            };
            // The peer may be gone by now: then there is nobody left to tell.
            let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
        }
    }
}

/// Says that nothing more comes, and reads until the peer says so too.
async fn wait_for_peer(writer: &Writer) -> io::Result<()> {
    writer.finish().await?;
    let socket = writer.tcp();
    SockRef::from(socket).shutdown(Shutdown::Write)?;
    // An array would be part of every connection's task from its start.
    let mut discarded = vec![0; DISCARDED_AT_ONCE];
    loop {
        socket.readable().await?;
        match socket.try_read(&mut discarded) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Tells receiver and outbox of the end, however it comes.
struct Ending<R: Receiver> {
    writer: Arc<Writer>,
    outbox: Arc<Outbox>,
    receiver: R,
    reason: Option<CloseReason>,
}

impl<R: Receiver> Ending<R> {
    /// This node closes the connection: if that is the peer's fault, somebody should know.
    fn complain_of(&self, frame: &CloseFrame) {
        if frame.code() == CloseCode::POLICY_VIOLATION {
            self.receiver.complain(MisbehaviourKind::UnreadAnswers, &frame.reason());
        }
    }

    /// Tells the receiver; what is still in the outbox may go out.
    fn tell(&mut self, reason: CloseReason) {
        self.receiver.closed(reason.clone());
        self.reason = Some(reason);
    }
}

impl<R: Receiver> Drop for Ending<R> {
    fn drop(&mut self) {
        // First why, then that: whoever finds the outbox closed can say the reason.
        if self.reason.is_none() {
            self.receiver.closed(CloseReason::Local("it stops".into()));
        }
        self.outbox.end();
        // Somebody may still hold the session, and with it nothing that keeps the peer waiting.
        let _ = SockRef::from(self.writer.tcp()).shutdown(Shutdown::Both);
    }
}
