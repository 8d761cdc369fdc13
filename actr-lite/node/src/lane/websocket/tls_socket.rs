use std::{
    io::{self, BufRead as _, IoSlice, Write},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use actr_lite_engine::connection::Written;
use actr_lite_tls::Connection;
use bytes::{Buf as _, BytesMut};
use tokio::net::{
    TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};
use tokio_util::io::poll_read_buf;

use crate::lane::websocket::{read::Read, write_gauge::WriteGauge};

/// How much a connection keeps encrypted and not sent when the system takes no more: a whole batch, so that it is
/// encrypted and written in one go. What is behind it waits in the outbox, where calls go first.
const MAX_UNSENT: usize = 64 << 10;

/// How much is read at once before it is decrypted: a few of the longest records (RFC 8446 §5.2), which are 16 KiB.
const MAX_CIPHERTEXT: usize = 64 << 10;

/// What TLS knows of a connection. Senders and the driver use it in turn, and nobody waits under the lock.
struct Session {
    connection: Mutex<Connection>,
    gauge: WriteGauge,
}

fn lock(session: &Session) -> MutexGuard<'_, Connection> {
    // A panic under this lock is one of the TLS library: what it leaves behind is an error of the connection at worst.
    session.connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both halves of a connection whose handshake is over.
pub(super) fn split(socket: TcpStream, mut connection: Connection, gauge: WriteGauge) -> (TlsReader, TlsWriter) {
    connection.set_buffer_limit(Some(MAX_UNSENT));
    let session = Arc::new(Session {
        connection: Mutex::new(connection),
        gauge,
    });
    let (reader, writer) = socket.into_split();
    let reader = TlsReader {
        socket: reader,
        session: Arc::clone(&session),
        ciphertext: BytesMut::new(),
    };
    let writer = TlsWriter {
        socket: writer,
        session,
    };
    (reader, writer)
}

/// The way in.
pub(super) struct TlsReader {
    socket: OwnedReadHalf,
    session: Arc<Session>,
    /// What was read and is not decrypted yet; none is kept while nothing comes.
    ciphertext: BytesMut,
}

impl TlsReader {
    /// Reads as much as there is and `buffer` has room for; 0 bytes are the end of the connection.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut BytesMut) -> Poll<io::Result<Read>> {
        let mut was_full = false;
        loop {
            let decrypted = self.decrypt(buffer);
            // It may have an answer of its own, such as an alert; nobody else asks for it to be written.
            if let Poll::Ready(Err(error)) = poll_flush(&self.session, self.socket.as_ref(), cx) {
                return Poll::Ready(Err(error));
            }
            if let Some(len) = decrypted? {
                was_full |= buffer.len() == buffer.capacity();
                return Poll::Ready(Ok(Read { len, was_full }));
            }
            let wanted = (buffer.capacity() - buffer.len()).min(MAX_CIPHERTEXT);
            self.ciphertext.reserve(wanted);
            match poll_read_buf(Pin::new(&mut self.socket), cx, &mut self.ciphertext) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Ok(Read {
                        len: 0,
                        was_full: false,
                    }));
                }
                // What is decrypted is always shorter than what was read.
                Poll::Ready(Ok(read)) => was_full = read >= wanted,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.ciphertext = BytesMut::new();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Decrypts what has come, up to the room in `buffer`: how much that was, 0 at the end, or nothing if more has to
    /// come first.
    fn decrypt(&mut self, buffer: &mut BytesMut) -> io::Result<Option<usize>> {
        let mut session = lock(&self.session);
        let before = buffer.len();
        loop {
            match session.reader().fill_buf() {
                Ok([]) => return Ok(Some(buffer.len() - before)),
                Ok(plaintext) => {
                    let len = plaintext.len().min(buffer.capacity() - buffer.len());
                    buffer.extend_from_slice(&plaintext[..len]);
                    session.reader().consume(len);
                    if buffer.len() == buffer.capacity() {
                        return Ok(Some(buffer.len() - before));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.ciphertext.is_empty() {
                        let read = buffer.len() - before;
                        return Ok((read > 0).then_some(read));
                    }
                    let taken = session.read_tls(&mut &self.ciphertext[..])?;
                    if taken == 0 {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    self.ciphertext.advance(taken);
                    let processed = session.process_new_packets();
                    processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The way out.
pub(super) struct TlsWriter {
    socket: OwnedWriteHalf,
    session: Arc<Session>,
}

impl TlsWriter {
    pub(super) fn tcp(&self) -> &TcpStream {
        self.socket.as_ref()
    }

    /// Encrypts and writes: how much of `bytes` was taken, of which the end may still be unsent.
    ///
    /// # Errors
    /// `WouldBlock` while something is unsent that the system does not take.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut connection = lock(&self.session);
        self.flush(&mut connection)?;
        let mut taken = 0;
        while taken < bytes.len() {
            let len = connection.writer().write(&bytes[taken..])?;
            taken += len;
            // What is unsent, and an error, is for the next who writes or flushes.
            if len == 0 || self.flush(&mut connection).is_err() {
                break;
            }
        }
        Ok(taken)
    }

    fn flush(&self, connection: &mut Connection) -> io::Result<()> {
        flush(connection, self.tcp(), &self.session.gauge)
    }

    /// Lets no more than so many bytes lie between this side and the network: half of them encrypted, half with the
    /// system.
    pub(super) fn bound(&self, bytes: usize) {
        self.session.gauge.bound(self.tcp(), bytes);
        lock(&self.session).set_buffer_limit(Some(MAX_UNSENT.min(bytes / 2)));
    }

    /// What the system has taken.
    pub(super) fn written(&self) -> Written {
        self.session.gauge.written()
    }

    /// Whether something was taken and not sent: somebody has to flush.
    pub(super) fn has_unsent(&self) -> bool {
        lock(&self.session).wants_write()
    }

    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_flush(&self.session, self.tcp(), cx)
    }

    /// Says that nothing more comes (RFC 8446 §6.1); it has to be flushed.
    pub(super) fn say_end(&self) {
        lock(&self.session).send_close_notify();
    }
}

/// Writes until nothing is unsent.
fn poll_flush(session: &Session, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    loop {
        let flushed = flush(&mut lock(session), socket, &session.gauge);
        match flushed {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(socket.poll_write_ready(cx))?,
            flushed => return Poll::Ready(flushed),
        }
    }
}

/// Writes what the system takes; `WouldBlock` if that is not all.
fn flush(connection: &mut Connection, socket: &TcpStream, gauge: &WriteGauge) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(&mut NonBlocking { socket, gauge })?;
    }
    Ok(())
}

/// A socket that does not wait.
struct NonBlocking<'a> {
    socket: &'a TcpStream,
    gauge: &'a WriteGauge,
}

impl Write for NonBlocking<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gauge.write(self.socket, bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.gauge.write_vectored(self.socket, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use actr_lite_dev_certs::DevCa;
    use actr_lite_tls::{ClientTls, PemFile, ServerTls};
    use proptest::{collection::vec, prelude::*};
    use socket2::SockRef;
    use tempfile::TempDir;
    use tokio::net::TcpListener;

    use super::*;

    /// How much the system is to keep at each end: little, so that writers have to wait, and still more than one segment
    /// of loopback, as TCP crawls otherwise.
    const SYSTEM_BUFFER: usize = 128 << 10;

    /// Two ends of a connection.
    async fn pair() -> [(TlsReader, TlsWriter); 2] {
        let folder = TempDir::new().unwrap();
        let ca = DevCa::new().unwrap();
        let cert = ca.issue(["localhost"]).unwrap();
        let files = actr_lite_dev_certs::write(folder.path(), &ca, &cert, false).unwrap();
        let server = ServerTls::load(PemFile::new("cert", files.cert), PemFile::new("key", files.key)).unwrap();
        let client = ClientTls::load(PemFile::new("ca", files.ca)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        for socket in [&dialled, &accepted] {
            socket.set_nodelay(true).unwrap();
            SockRef::from(socket).set_send_buffer_size(SYSTEM_BUFFER).unwrap();
            SockRef::from(socket).set_recv_buffer_size(SYSTEM_BUFFER).unwrap();
        }
        let (accepted, dialled) = tokio::join!(
            server.accept(accepted, Duration::from_secs(30)),
            client.connect("localhost", dialled)
        );
        [accepted.unwrap(), dialled.unwrap()].map(|stream| {
            let (socket, connection) = stream.into_parts();
            split(socket, connection.unwrap(), WriteGauge::new(0))
        })
    }

    /// The byte that stands at this position of what is sent.
    fn byte(position: usize) -> u8 {
        (position % 251) as u8
    }

    /// Writes pieces of these lengths, whatever is taken of them, until all are through, and says that this was all.
    async fn write(writer: &TlsWriter, lens: &[usize]) -> usize {
        let mut sent = 0;
        for len in lens {
            let piece: Vec<u8> = (sent..sent + len).map(byte).collect();
            let mut taken = 0;
            while taken < piece.len() {
                match writer.try_write(&piece[taken..]) {
                    Ok(len) => taken += len,
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        assert!(writer.has_unsent());
                        poll_fn(|cx| writer.poll_flush(cx)).await.unwrap();
                    }
                }
            }
            sent += len;
        }
        writer.say_end();
        poll_fn(|cx| writer.poll_flush(cx)).await.unwrap();
        assert!(!writer.has_unsent());
        sent
    }

    /// Reads with buffers of these lengths in turn until the end; how much came, which is what was sent.
    async fn read(reader: &mut TlsReader, rooms: &[usize]) -> usize {
        let mut received = 0;
        for room in rooms.iter().cycle() {
            let mut buffer = BytesMut::with_capacity(*room);
            let capacity = buffer.capacity();
            let read = poll_fn(|cx| reader.poll_read(cx, &mut buffer)).await.unwrap();
            assert_eq!(
                (buffer.len(), buffer.capacity()),
                (read.len, capacity),
                "it stays within its room"
            );
            for (offset, got) in buffer.iter().enumerate() {
                assert_eq!(*got, byte(received + offset), "at {}", received + offset);
            }
            received += read.len;
            if read.len == 0 {
                break;
            }
        }
        received
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(60), future).await })
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_written_is_read_whatever_the_pieces_and_the_rooms(
            down in vec(0..400_000usize, 0..6),
            up in vec(0..2000usize, 0..100),
            rooms in vec(1..100_000usize, 1..5),
        ) {
            block_on(async {
                let [(mut reader, writer), (mut other_reader, other_writer)] = pair().await;
                let (sent, sent_back, received_back, received) = tokio::join!(
                    write(&writer, &down),
                    write(&other_writer, &up),
                    read(&mut reader, &rooms),
                    read(&mut other_reader, &rooms),
                );
                assert_eq!((received, received_back), (sent, sent_back));
            });
        }
    }

    #[test]
    fn a_peer_that_reads_nothing_is_written_a_bounded_part() {
        block_on(async {
            let [(_reader, writer), (mut other, _other_writer)] = pair().await;
            let piece = vec![0; 1 << 20];
            let mut taken = 0;
            // The system may still move some of it from one end to the other: it is full when nothing changes any more.
            let mut refusals = 0;
            while refusals < 100 {
                match writer.try_write(&piece) {
                    Ok(len) => {
                        assert!(len < piece.len());
                        taken += len;
                        refusals = 0;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                        refusals += 1;
                        tokio::task::yield_now().await;
                    }
                }
            }
            // Linux takes twice as much as it is told.
            assert!(
                (MAX_UNSENT..=MAX_UNSENT + 4 * SYSTEM_BUFFER).contains(&taken),
                "{taken} bytes"
            );
            let mut received = 0;
            let receiving = async {
                while received < taken {
                    let mut buffer = BytesMut::with_capacity(4096);
                    received += poll_fn(|cx| other.poll_read(cx, &mut buffer)).await.unwrap().len;
                }
            };
            let (flushed, ()) = tokio::join!(poll_fn(|cx| writer.poll_flush(cx)), receiving);
            flushed.unwrap();
            assert_eq!(received, taken);
        });
    }

    #[test]
    fn a_reader_to_whom_nothing_comes_holds_no_buffer() {
        block_on(async {
            let [(mut reader, _writer), (_other_reader, other_writer)] = pair().await;
            write(&other_writer, &[0]).await;
            let [(mut idle, _idle_writer), (_open_reader, open_writer)] = pair().await;
            open_writer.try_write(&[1; 10_000]).unwrap();
            let mut buffer = BytesMut::with_capacity(256 << 10);
            while buffer.len() < 10_000 {
                poll_fn(|cx| idle.poll_read(cx, &mut buffer)).await.unwrap();
            }
            let pending = poll_fn(|cx| Poll::Ready(idle.poll_read(cx, &mut buffer).is_pending())).await;
            assert!(pending);
            assert_eq!(idle.ciphertext.capacity(), 0);
            assert_eq!(read(&mut reader, &[10]).await, 0);
        });
    }
}
