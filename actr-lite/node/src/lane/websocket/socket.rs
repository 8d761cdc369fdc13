use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use actr_lite_engine::connection::Written;
use actr_lite_tls::Stream;
use actr_lite_wire::pace::{BATCHES_AHEAD, MAX_BATCH};
use bytes::BytesMut;
use socket2::SockRef;
use tokio::net::{
    TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};
use tokio_util::io::poll_read_buf;

use crate::lane::websocket::{
    read::Read,
    tls_socket::{self, TlsReader, TlsWriter},
    write_gauge::WriteGauge,
};

/// How much the system keeps of what the peer has sent and this side has not read; Linux takes twice as much for its own
/// accounts. What waits there is ahead of every answer: at the rate of a local connection half a mebibyte is less than a
/// millisecond, while the system's own limit of many mebibytes would make calls wait behind streams.
const RECEIVE_BUFFER: usize = 512 << 10;

/// Sets up a connection of the data lane.
///
/// # Errors
/// When the connection is gone. What the system does not support is left as it is.
pub(crate) fn set_up(socket: &TcpStream) -> io::Result<()> {
    // Batches are made before the socket; it must not wait for more.
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    Ok(())
}

/// Both halves of a connection after the upgrade.
pub(super) fn split(stream: Stream) -> (Reader, Writer) {
    match stream.into_parts() {
        (socket, None) => {
            let (reader, writer) = socket.into_split();
            (Reader::Plain(reader), Writer::plain(writer))
        }
        (socket, Some(connection)) => {
            let (reader, writer) = tls_socket::split(socket, connection, gauge());
            (Reader::Tls(reader), Writer(Io::Tls(writer)))
        }
    }
}

fn gauge() -> WriteGauge {
    WriteGauge::new(BATCHES_AHEAD * MAX_BATCH)
}

/// The way in, for the connection's driver.
pub(super) enum Reader {
    Plain(OwnedReadHalf),
    Tls(TlsReader),
}

impl Reader {
    /// Reads at most as much as `buffer` has room for; 0 bytes are the end of the connection.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<Read>> {
        match self {
            Self::Plain(socket) => {
                let room = buffer.capacity() - buffer.len();
                let len = ready!(poll_read_buf(Pin::new(socket), cx, buffer))?;
                let was_full = len == room;
                Poll::Ready(Ok(Read { len, was_full }))
            }
            Self::Tls(socket) => socket.poll_read(cx, buffer),
        }
    }
}

/// The way out: whoever has a batch together writes, and the driver does the rest.
pub(super) struct Writer(Io);

enum Io {
    Plain(OwnedWriteHalf, WriteGauge),
    Tls(TlsWriter),
}

impl Writer {
    pub(super) fn plain(socket: OwnedWriteHalf) -> Self {
        Self(Io::Plain(socket, gauge()))
    }

    /// The socket below, for what TLS has no part in.
    pub(super) fn tcp(&self) -> &TcpStream {
        match &self.0 {
            Io::Plain(socket, _) => socket.as_ref(),
            Io::Tls(socket) => socket.tcp(),
        }
    }

    /// Lets no more than so many bytes lie between this side and the network.
    pub(super) fn bound(&self, bytes: usize) {
        match &self.0 {
            Io::Plain(socket, gauge) => gauge.bound(socket.as_ref(), bytes),
            Io::Tls(socket) => socket.bound(bytes),
        }
    }

    /// What the system has taken.
    pub(super) fn written(&self) -> Written {
        match &self.0 {
            Io::Plain(_, gauge) => gauge.written(),
            Io::Tls(socket) => socket.written(),
        }
    }

    /// Takes as much as can be written without waiting; `WouldBlock` if that is nothing.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Io::Plain(socket, gauge) => gauge.write(socket.as_ref(), bytes),
            Io::Tls(socket) => socket.try_write(bytes),
        }
    }

    /// Whether some of what was taken is not with the system yet: the driver has to flush.
    pub(super) fn has_unsent(&self) -> bool {
        match &self.0 {
            Io::Plain(..) => false,
            Io::Tls(socket) => socket.has_unsent(),
        }
    }

    /// Only the driver may wait: it is the one that is woken.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Io::Plain(..) => Poll::Ready(Ok(())),
            Io::Tls(socket) => socket.poll_flush(cx),
        }
    }

    /// Tells TLS, if it is spoken, that nothing more comes.
    pub(super) async fn finish(&self) -> io::Result<()> {
        if let Io::Tls(socket) = &self.0 {
            socket.say_end();
        }
        poll_fn(|cx| self.poll_flush(cx)).await
    }
}
