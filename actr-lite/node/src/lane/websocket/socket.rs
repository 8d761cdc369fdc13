use std::io;

use socket2::SockRef;
use tokio::net::TcpStream;

/// How much the system keeps of what the peer has sent and this side has not read; Linux takes twice as much for its own
/// accounts. What waits there is ahead of every answer: at the rate of a local connection half a mebibyte is less than a
/// millisecond, while the system's own limit of many mebibytes would make calls wait behind streams.
const RECEIVE_BUFFER: usize = 512 << 10;

/// How much the system takes from this side beyond what the network has taken: two batches keep it busy, and the rest
/// waits in the outbox, where calls go first.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_NOT_SENT: u32 = 128 << 10;

/// Sets up a connection of the data lane.
///
/// # Errors
/// When the connection is gone. What the system does not support is left as it is.
pub(super) fn set_up(socket: &TcpStream) -> io::Result<()> {
    // Batches are made before the socket; it must not wait for more.
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(MAX_NOT_SENT);
    Ok(())
}
