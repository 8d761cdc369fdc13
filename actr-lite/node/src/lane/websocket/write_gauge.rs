use std::{
    io::{self, IoSlice},
    sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use actr_lite_engine::connection::Written;
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream};

/// What the system may hold of a connection that the network has not taken when nothing was said about it.
const UNBOUNDED: usize = usize::MAX;

/// By which part of what it may hold more may be written before the system is asked again: short answers one after
/// another do not pay for the question.
const UNASKED: usize = 2;

/// Writes to a connection's socket, lets the system hold no more than it should, and counts what it takes.
///
/// What the system holds can't be overtaken by a ping or an answer.
#[derive(Debug)]
pub(super) struct WriteGauge {
    /// What the system should hold at most.
    bound: AtomicUsize,
    /// From this bound on the system is not asked.
    loose: usize,
    /// How much was written since it was asked.
    unasked: AtomicUsize,
    refused: AtomicBool,
    written: AtomicU64,
    relieved: AtomicU64,
}

impl WriteGauge {
    /// A gauge that asks the system before it writes as long as the bound is below `loose`.
    pub(super) fn new(loose: usize) -> Self {
        Self {
            bound: AtomicUsize::new(UNBOUNDED),
            loose,
            unasked: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            written: AtomicU64::new(0),
            relieved: AtomicU64::new(0),
        }
    }

    /// Lets the system hold no more than so many bytes that the network has not taken. What the system does not support
    /// is left as it is.
    pub(super) fn bound(&self, socket: &TcpStream, bytes: usize) {
        self.bound.store(bytes, Ordering::Relaxed);
        set_bound(socket, bytes);
    }

    pub(super) fn written(&self) -> Written {
        Written {
            bytes: self.written.load(Ordering::Relaxed),
            relieved: self.relieved.load(Ordering::Relaxed),
        }
    }

    /// Writes what the system takes without waiting; `WouldBlock` if that is nothing.
    pub(super) fn write(&self, socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.has_to_ask(bytes.len()) {
            true => socket.try_io(Interest::WRITABLE, || {
                has_room(socket)?;
                SockRef::from(socket).send(bytes)
            }),
            false => socket.try_write(bytes),
        };
        self.count(bytes.len(), written)
    }

    /// As [`Self::write`], from several places.
    pub(super) fn write_vectored(&self, socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = slices.iter().map(|slice| slice.len()).sum();
        let written = match self.has_to_ask(len) {
            true => socket.try_io(Interest::WRITABLE, || {
                has_room(socket)?;
                SockRef::from(socket).send_vectored(slices)
            }),
            false => socket.try_write_vectored(slices),
        };
        self.count(len, written)
    }

    fn has_to_ask(&self, len: usize) -> bool {
        let bound = self.bound.load(Ordering::Relaxed);
        if bound >= self.loose {
            return false;
        }
        let unasked = self.unasked.fetch_add(len, Ordering::Relaxed) + len;
        let has_to = unasked > bound / UNASKED || self.refused.load(Ordering::Relaxed);
        if has_to {
            self.unasked.store(0, Ordering::Relaxed);
        }
        has_to
    }

    fn count(&self, offered: usize, written: io::Result<usize>) -> io::Result<usize> {
        match &written {
            Ok(len) => {
                self.written.fetch_add(*len as u64, Ordering::Relaxed);
                if self.refused.swap(*len < offered, Ordering::Relaxed) {
                    self.relieved.fetch_add(*len as u64, Ordering::Relaxed);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.refused.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
        written
    }
}

/// `WouldBlock` while the system holds as much as it should: a write alone would fill up its last segment all the same,
/// by as much as 64 KiB.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn has_room(socket: &TcpStream) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut socket = [PollFd::new(socket, PollFlags::OUT)];
    match poll(&mut socket, Some(&Timespec::default()))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn has_room(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_bound(socket: &TcpStream, bytes: usize) {
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    let _ = SockRef::from(socket).set_tcp_notsent_lowat(bytes);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_bound(_: &TcpStream, _: usize) {}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    async fn pair() -> [TcpStream; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        dialled.writable().await.unwrap();
        [dialled, accepted]
    }

    /// Writes until the system takes no more: how much it took.
    async fn fill(gauge: &WriteGauge, socket: &TcpStream) -> usize {
        let (mut taken, mut refusals) = (0, 0);
        // The system may still move some of it from one end to the other: it is full when nothing changes any more.
        while refusals < 100 {
            match gauge.write(socket, &[0; 4096]) {
                Ok(len) => (taken, refusals) = (taken + len, 0),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    refusals += 1;
                    tokio::task::yield_now().await;
                }
            }
        }
        taken
    }

    #[tokio::test]
    async fn the_system_holds_no_more_than_it_should() {
        const BOUND: usize = 16 << 10;
        let mut held = Vec::new();
        for bound in [BOUND, 4 << 20] {
            let [socket, peer] = pair().await;
            // What the peer's system takes is the same in both cases: the difference is what this one holds.
            SockRef::from(&peer).set_recv_buffer_size(64 << 10).unwrap();
            let gauge = WriteGauge::new(usize::MAX);
            gauge.bound(&socket, bound);
            held.push(fill(&gauge, &socket).await);
        }
        assert!(held[0] + (64 << 10) < held[1], "{held:?}");
    }

    #[tokio::test]
    async fn only_what_is_taken_after_a_refusal_is_a_sign_of_life() {
        let [socket, mut peer] = pair().await;
        let gauge = WriteGauge::new(usize::MAX);
        gauge.bound(&socket, 8 << 10);
        let taken = fill(&gauge, &socket).await;
        assert_eq!(gauge.written().bytes, taken as u64);
        let before = gauge.written().relieved;
        assert_eq!(fill(&gauge, &socket).await, 0);
        assert_eq!(gauge.written().relieved, before, "nobody reads");
        let mut buffer = vec![0; taken];
        peer.read_exact(&mut buffer).await.unwrap();
        socket.writable().await.unwrap();
        assert!(gauge.write(&socket, &[0]).is_ok());
        assert!(gauge.written().relieved > before);
    }
}
