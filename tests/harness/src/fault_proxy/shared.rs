//! What a proxy tells its connections, and what they tell it.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{net::TcpSocket, sync::watch, time::sleep};

use crate::fault_proxy::newcomers::Newcomers;

/// What is read at a time.
const CHUNK: usize = 16 << 10;

/// What the ends of a slow proxy hold: little, so that what is on the way is what the link carries in a moment.
const SLOW_BUFFER: u32 = 8 << 10;

/// A slow proxy hands on what it carries in this part of a second, at a time.
const SLOW_STEPS: u64 = 20;

#[derive(Debug)]
pub(super) struct Shared {
    /// Bytes in a second, each way; none is as fast as possible.
    pub(super) rate: Option<u64>,
    pub(super) orders: watch::Sender<Orders>,
    pub(super) log: Mutex<Log>,
    pub(super) frozen: Condvar,
}

/// What all connections are told. A connection counts what came since it was accepted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Orders {
    pub(super) target: Option<SocketAddr>,
    pub(super) newcomers: Newcomers,
    pub(super) cuts: u64,
    pub(super) freezes: u64,
}

/// What happens to a connection when it has carried this many bytes from the target.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    CutAfter(u64),
    FreezeAfter(u64),
}

#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) accepted: u64,
    /// What becomes of the next connections.
    pub(super) fates: VecDeque<Fate>,
    pub(super) cuts: Vec<Instant>,
    pub(super) freezes: Vec<Instant>,
    /// When a connection began to carry frames.
    pub(super) flows: Vec<Instant>,
    /// Everything that was relayed, if it is recorded.
    pub(super) recorded: Option<Vec<u8>>,
}

impl Shared {
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket for a connection; those that a listener accepts have the same buffers.
    pub(super) fn socket(&self) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        if self.rate.is_some() {
            socket.set_send_buffer_size(SLOW_BUFFER)?;
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        Ok(socket)
    }

    /// What is read at a time.
    pub(super) fn chunk(&self) -> Vec<u8> {
        let len = self
            .rate
            .map_or(CHUNK as u64, |rate| (rate / SLOW_STEPS).clamp(1, CHUNK as u64));
        vec![0; usize::try_from(len).unwrap_or(CHUNK)]
    }

    /// Waits as long as the link takes for this many bytes.
    pub(super) async fn carry(&self, bytes: usize) {
        if let Some(rate) = self.rate {
            sleep(Duration::from_secs_f64(bytes as f64 / rate as f64)).await;
        }
    }

    pub(super) fn record(&self, bytes: &[u8]) {
        if let Some(recorded) = &mut self.log().recorded {
            recorded.extend_from_slice(bytes);
        }
    }
}
