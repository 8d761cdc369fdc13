use std::{
    future::poll_fn,
    io,
    net::Shutdown,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
};

use actr_lite_engine::{
    connection::{self, CLOSE_TIMEOUT, End, Goodbye, SMALL_READ},
    held_bytes::HeldBytes,
};
use actr_lite_wire::{
    peer_text::PeerText,
    websocket::{CloseCode, CloseFrame},
};
use socket2::SockRef;
use tokio::time::{Instant, sleep_until, timeout};

use crate::lane::{
    close_reason::CloseReason,
    lane::Lane as _,
    receiver::Receiver,
    websocket::{
        connection::Connection,
        exchange::Exchange,
        outbox::{Outbox, Outgoing},
        socket::Writer,
    },
};

/// How much is read at once to be thrown away.
const DISCARDED_AT_ONCE: usize = 8 << 10;

impl Connection {
    /// Reads and writes until the connection ends; the session is told how, also when this future is dropped.
    ///
    /// No `async fn`: its future would hold all of this twice.
    pub(crate) fn run<R: Receiver>(self, receiver: R) -> impl Future<Output = ()> + use<R> {
        let Self {
            reader,
            writer,
            outbox,
            account,
            stall_timeout,
            role,
            max_message_len,
            leftover,
        } = self;
        let connection = connection::Connection::new(
            role,
            outbox.has_control(),
            max_message_len,
            stall_timeout,
            leftover,
            HeldBytes::new(account, SMALL_READ),
        );
        let started = Instant::now();
        let mut exchange = Exchange::new(reader, Arc::clone(&writer), Arc::clone(&outbox), connection, started);
        let mut ending = Ending {
            writer,
            outbox,
            receiver,
            reason: None,
        };
        async move {
            let mut timer = pin!(sleep_until(started));
            let end = poll_fn(|cx| exchange.poll(cx, &mut ending.receiver, timer.as_mut())).await;
            if let Some((kind, reason)) = end.complaint() {
                ending.receiver.complain(kind, &reason);
            }
            let goodbye = end.goodbye();
            ending.tell(reason(end));
            if let Some(goodbye) = goodbye {
                // Boxed, as only the end of a connection needs it. The peer may be gone by now: then there is nobody left
                // to tell.
                let said = Box::pin(say(goodbye, &ending.outbox, &ending.writer));
                let _ = timeout(CLOSE_TIMEOUT, said).await;
            }
        }
    }
}

/// How the connection ended, for its session.
fn reason(end: End) -> CloseReason {
    match end {
        End::Closed(frame) | End::Stuck(frame) => CloseReason::Local(frame.reason().into()),
        End::Peer(frame) => CloseReason::Closed {
            code: frame.as_ref().map_or(CloseCode::NORMAL, CloseFrame::code).value(),
            reason: frame.map_or_else(PeerText::default, |frame| frame.reason().into()),
        },
        End::Broken(error) => CloseReason::Lost(error.into()),
        End::Silent(silence) => CloseReason::Silent(silence),
        End::Protocol(_, error) => CloseReason::Protocol(error.into()),
    }
}

/// Says the last that is to be said.
async fn say(goodbye: Goodbye, outbox: &Outbox, writer: &Writer) -> io::Result<()> {
    if let Some(frame) = goodbye.answer {
        outbox.abandon(frame);
        poll_fn(|cx| {
            loop {
                if ready!(outbox.poll_write(writer, cx))? == Outgoing::Closed {
                    return Poll::Ready(io::Result::Ok(()));
                }
            }
        })
        .await?;
    }
    writer.finish().await?;
    if goodbye.waits_for_peer {
        wait_for_peer(writer).await?;
    }
    Ok(())
}

/// Says that nothing more comes, and reads until the peer says so too.
async fn wait_for_peer(writer: &Writer) -> io::Result<()> {
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

/// Tells session and outbox of the end, however it comes.
struct Ending<R: Receiver> {
    writer: Arc<Writer>,
    outbox: Arc<Outbox>,
    receiver: R,
    reason: Option<CloseReason>,
}

impl<R: Receiver> Ending<R> {
    /// Tells the session; what is still in the outbox may go out.
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
