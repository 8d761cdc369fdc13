use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_net::{DialProgress, connect, secure};
use actr_lite_tls::{ClientTls, Stream};
use actr_lite_webrtc::nat::{frames::Frames, relay::Way};
use actr_lite_wire::ice_server::{RelayTransport, TurnUrl};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    net::{UdpSocket, lookup_host},
    sync::Notify,
    time::timeout,
};

/// How long a relay's name may take to be looked up.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// How much may wait to leave over TCP. What comes beyond is lost, as on a path that is too narrow, which slows senders down.
const MAX_WAITING: usize = 256 << 10;

/// The longest datagram that is read, and how much of a stream is read at once.
const MAX_READ: usize = 16 << 10;

/// How many datagrams are read before they are handed on.
const READS_AT_ONCE: usize = 64;

/// The way to a relay over which everybody sends.
pub(super) enum RelaySocket {
    Udp(UdpSocket),
    Stream(Waiting),
}

/// What waits to leave over TCP.
#[derive(Default)]
pub(super) struct Waiting {
    frames: Mutex<(VecDeque<Vec<u8>>, usize)>,
    told: Notify,
}

/// The end of it that its task has.
pub(super) struct RelayReader {
    socket: Arc<RelaySocket>,
    /// This host's address there.
    pub(super) local: SocketAddr,
    pub(super) is_ipv6: bool,
    stream: Option<(ReadHalf<Stream>, Frames)>,
    writing: Option<futures_util::future::BoxFuture<'static, io::Error>>,
    buffer: Box<[u8]>,
}

/// How a relay is talked to.
pub(super) fn way(url: &TurnUrl) -> Way {
    match url.transport() {
        RelayTransport::Udp => Way::Datagrams,
        RelayTransport::Tcp | RelayTransport::Tls => Way::Stream,
    }
}

/// Opens a socket to a relay.
///
/// # Cancel safety
/// Dropping it closes what it has opened.
pub(super) async fn open(url: TurnUrl, tls: ClientTls) -> Result<(Arc<RelaySocket>, RelayReader), String> {
    let (host, port) = (url.host(), url.port());
    if url.transport() == RelayTransport::Udp {
        return udp(host, port).await.map_err(|error| error.to_string());
    }
    let progress = DialProgress::default();
    let connected = connect(host, port, &progress)
        .await
        .map_err(|error| error.to_string())?;
    connected.set_nodelay(true).map_err(|error| error.to_string())?;
    let (local, remote) = (connected.local_addr(), connected.peer_addr());
    let stream = match url.transport() {
        RelayTransport::Tls => secure(&tls, host, connected, &progress)
            .await
            .map_err(|error| error.to_string())?,
        // What goes through is DTLS; STUN proves who sends without showing the password.
        _ => Stream::from(connected),
    };
    let (reading, writing) = split(stream);
    let socket = Arc::new(RelaySocket::Stream(Waiting::default()));
    let written = Arc::clone(&socket);
    let reader = RelayReader {
        local: local.map_err(|error| error.to_string())?,
        is_ipv6: remote.map_err(|error| error.to_string())?.is_ipv6(),
        stream: Some((reading, Frames::default())),
        writing: Some(Box::pin(write(written, writing))),
        buffer: vec![0; MAX_READ].into(),
        socket: Arc::clone(&socket),
    };
    Ok((socket, reader))
}

async fn udp(host: &str, port: u16) -> io::Result<(Arc<RelaySocket>, RelayReader)> {
    let looked_up = timeout(LOOK_UP_TIMEOUT, lookup_host((host, port))).await;
    let addresses = looked_up.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let mut last = io::Error::other("its name has no address");
    for address in addresses {
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let connected = async {
            let socket = UdpSocket::bind((any, 0)).await?;
            socket.connect(address).await?;
            let local = socket.local_addr()?;
            io::Result::Ok((socket, local))
        };
        match connected.await {
            Err(error) => last = error,
            Ok((socket, local)) => {
                let socket = Arc::new(RelaySocket::Udp(socket));
                let reader = RelayReader {
                    socket: Arc::clone(&socket),
                    local,
                    is_ipv6: address.is_ipv6(),
                    stream: None,
                    writing: None,
                    buffer: vec![0; MAX_READ].into(),
                };
                return Ok((socket, reader));
            }
        }
    }
    Err(last)
}

impl RelaySocket {
    /// Sends to the relay. What can't be sent is lost.
    pub(super) async fn send(&self, bytes: &[u8]) {
        match self {
            Self::Udp(socket) => drop(socket.send(bytes).await),
            Self::Stream(waiting) => waiting.push(bytes),
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<Vec<u8>>, usize)> {
        // No code panics while it holds the lock.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: &[u8]) {
        let is_first = {
            let (frames, waiting) = &mut *self.lock();
            if *waiting + bytes.len() > MAX_WAITING {
                return;
            }
            *waiting += bytes.len();
            frames.push_back(bytes.to_vec());
            frames.len() == 1
        };
        if is_first {
            self.told.notify_one();
        }
    }

    async fn next(&self) -> Vec<Vec<u8>> {
        loop {
            let frames: Vec<_> = {
                let (frames, waiting) = &mut *self.lock();
                *waiting = 0;
                frames.drain(..).collect()
            };
            if !frames.is_empty() {
                return frames;
            }
            self.told.notified().await;
        }
    }
}

/// Writes what waits, until that fails.
async fn write(socket: Arc<RelaySocket>, mut stream: WriteHalf<Stream>) -> io::Error {
    let RelaySocket::Stream(waiting) = &*socket else {
        return io::Error::other("it is no stream");
    };
    loop {
        for frame in waiting.next().await {
            if let Err(error) = stream.write_all(&frame).await {
                return error;
            }
        }
        if let Err(error) = stream.flush().await {
            return error;
        }
    }
}

impl RelayReader {
    /// Hands what has come from the relay to `take`, each message by itself.
    ///
    /// # Errors
    /// When nothing can come any more.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let Self {
            socket,
            stream,
            writing,
            buffer,
            ..
        } = self;
        match (&**socket, stream, writing) {
            (RelaySocket::Udp(socket), _, _) => {
                let len = socket.recv(buffer).await?;
                take(&buffer[..len]);
                for _ in 1..READS_AT_ONCE {
                    match socket.try_recv(buffer) {
                        Ok(len) => take(&buffer[..len]),
                        Err(_) => break,
                    }
                }
                Ok(())
            }
            (_, Some((stream, frames)), Some(writing)) => {
                let len = tokio::select! {
                    read = stream.read(buffer) => read?,
                    error = writing => return Err(error),
                };
                if len == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                frames.extend(&buffer[..len]);
                while let Some(frame) = frames.next_frame().map_err(io::Error::other)? {
                    take(frame);
                }
                Ok(())
            }
            _ => Err(io::Error::other("it is no stream")),
        }
    }
}
