use std::{
    io, mem,
    task::{Context, Poll, Waker},
};

use loom::sync::{Mutex, MutexGuard};

/// A socket that takes as many bytes as its network has room for.
pub(crate) struct Writer(Mutex<Network>);

struct Network {
    room: usize,
    taken: Vec<u8>,
    /// Who waits for room.
    waits: Option<Waker>,
}

impl Writer {
    pub(crate) fn with_room(room: usize) -> Self {
        Self(Mutex::new(Network {
            room,
            taken: Vec::new(),
            waits: None,
        }))
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.0.lock().unwrap()
    }

    /// The network has carried so much.
    pub(crate) fn carry(&self, bytes: usize) {
        let mut network = self.network();
        network.room += bytes;
        let waits = network.waits.take();
        drop(network);
        waits.into_iter().for_each(Waker::wake);
    }

    /// What the socket has taken.
    pub(crate) fn taken(&self) -> Vec<u8> {
        mem::take(&mut self.network().taken)
    }

    pub(super) fn tcp(&self) -> &Self {
        self
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut network = self.network();
        if network.room > 0 {
            return Poll::Ready(Ok(()));
        }
        let before = network.waits.replace(cx.waker().clone());
        drop(network);
        drop(before);
        Poll::Pending
    }

    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut network = self.network();
        let len = bytes.len().min(network.room);
        if len == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        network.room -= len;
        network.taken.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    pub(super) fn bound(&self, _: usize) {}

    pub(super) fn has_unsent(&self) -> bool {
        false
    }

    pub(super) fn poll_flush(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
