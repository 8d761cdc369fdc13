//! The connections that a proxy relays.

use std::{io, net::SocketAddr, sync::Arc, time::Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

use crate::fault_proxy::{
    newcomers::Newcomers,
    shared::{Fate, Orders, Shared},
};

/// From this many bytes of the target on, a connection carries frames: an upgrade and the answer to a registration are
/// less than half of it.
const FRAMES_FLOW_AFTER: u64 = 2048;

/// Relays what the listener accepts, until the runtime ends.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let number = {
            let mut log = shared.log();
            log.accepted += 1;
            log.accepted
        };
        let connection = Connection {
            // Every other one ends with a reset, which also throws away what the other end has not read yet.
            ends_with_reset: number.is_multiple_of(2),
            orders: shared.orders.subscribe(),
            shared: shared.clone(),
        };
        tokio::spawn(connection.run(client));
    }
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// On request.
    Cut,
    /// It has carried its number of bytes.
    Fate,
    /// An end has closed it.
    Gone,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

struct Connection {
    ends_with_reset: bool,
    orders: watch::Receiver<Orders>,
    shared: Arc<Shared>,
}

impl Connection {
    async fn connect(&self, target: SocketAddr) -> io::Result<TcpStream> {
        self.shared.socket()?.connect(target).await
    }

    async fn run(mut self, mut client: TcpStream) {
        let at_start = *self.orders.borrow_and_update();
        let target = match (at_start.newcomers, at_start.target) {
            (Newcomers::Relay, Some(target)) => target,
            (Newcomers::Swallow, _) => return self.cut_order(at_start).await,
            _ => return reset(&client),
        };
        let Ok(mut server) = self.connect(target).await else {
            return reset(&client);
        };
        // Bytes have to be as fast as without the relay.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let fate = self.shared.log().fates.pop_front();
        let end = self.relay(at_start, &mut client, &mut server, fate).await;
        if end == End::Cut {
            if self.ends_with_reset {
                reset(&client);
                reset(&server);
            }
            // Noted before the sockets are closed: a recovery comes after it.
            self.shared.log().cuts.push(Instant::now());
        }
    }

    async fn relay(
        &mut self,
        at_start: Orders,
        client: &mut TcpStream,
        server: &mut TcpStream,
        fate: Option<Fate>,
    ) -> End {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let mut orders = self.orders.clone();
        let frozen = orders.wait_for(|orders| orders.freezes != at_start.freezes);
        let relayed = async {
            tokio::try_join!(
                self.downstream(from_server, to_client, fate),
                self.upstream(from_client, to_server)
            )
        };
        tokio::select! {
            biased;
            () = self.cut_order(at_start) => return End::Cut,
            _ = frozen => {}
            ended = relayed => match (ended, fate) {
                (Err(End::Fate), Some(Fate::FreezeAfter(_))) => {
                    self.shared.log().freezes.push(Instant::now());
                    self.shared.frozen.notify_all();
                }
                (Err(End::Fate), _) => return End::Cut,
                _ => return End::Gone,
            },
        }
        self.cut_order(at_start).await;
        End::Cut
    }

    /// Returns when all connections are to be cut.
    async fn cut_order(&self, at_start: Orders) {
        // The sender is gone only when all is over.
        let _ = self
            .orders
            .clone()
            .wait_for(|orders| orders.cuts != at_start.cuts)
            .await;
    }

    async fn downstream(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, fate: Option<Fate>) -> Result<(), End> {
        let budget = fate.map(|(Fate::CutAfter(bytes) | Fate::FreezeAfter(bytes))| bytes);
        let mut buffer = self.shared.chunk();
        let mut carried = 0;
        loop {
            let read = from.read(&mut buffer).await?;
            let left = budget.map_or(u64::MAX, |budget| budget - carried);
            let len = read.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.shared.carry(len).await;
            self.shared.record(buffer.get(..len).unwrap_or_default());
            to.write_all(buffer.get(..len).unwrap_or_default()).await?;
            let before = carried;
            carried += len as u64;
            if before <= FRAMES_FLOW_AFTER && carried > FRAMES_FLOW_AFTER {
                self.shared.log().flows.push(Instant::now());
            }
            if budget.is_some_and(|budget| carried >= budget) {
                return Err(End::Fate);
            }
            if read == 0 {
                return Ok(to.shutdown().await?);
            }
        }
    }

    async fn upstream(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), End> {
        let mut buffer = self.shared.chunk();
        loop {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return Ok(to.shutdown().await?);
            }
            self.shared.carry(read).await;
            self.shared.record(buffer.get(..read).unwrap_or_default());
            to.write_all(buffer.get(..read).unwrap_or_default()).await?;
        }
    }
}

/// Makes the end of this connection a reset.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
