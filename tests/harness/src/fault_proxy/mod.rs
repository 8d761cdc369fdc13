//! A relay in front of a server that fails on request.

mod connection;
mod newcomers;
mod shared;

use std::{
    net::Ipv4Addr,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

pub use newcomers::Newcomers;
use programs::Process;
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};

use crate::fault_proxy::{
    connection::accept,
    shared::{Fate, Orders, Shared},
};

/// How many connections may wait to be accepted: what the standard library takes.
const BACKLOG: u32 = 1024;

/// A relay of TCP connections to a target, on a port of loopback. A server is told to advertise its address.
///
/// It can keep what passes, cut connections, leave them open and let everything vanish that is sent over them, both at once or at a given
/// byte, and refuse new ones; and it can be [slow](Self::slow). Dropping it closes all.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl FaultProxy {
    /// Listens on a free port. It refuses connections until it has a target.
    ///
    /// # Panics
    /// If the system has no port or no thread left.
    #[allow(clippy::new_without_default, reason = "it listens on a port and starts a thread")]
    pub fn new() -> Self {
        Self::start(None)
    }

    /// The same, which carries at most this many bytes per second, each way, and buffers little.
    ///
    /// # Panics
    /// If the system has no port or no thread left.
    pub fn slow(bytes_per_second: u64) -> Self {
        Self::start(Some(bytes_per_second))
    }

    fn start(rate: Option<u64>) -> Self {
        let orders = Orders {
            target: None,
            newcomers: Newcomers::Relay,
            cuts: 0,
            freezes: 0,
        };
        let shared = Arc::new(Shared {
            rate,
            orders: watch::Sender::new(orders),
            log: Mutex::default(),
            frozen: Condvar::new(),
        });
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for a proxy: {error}"));
        let listener = runtime.block_on(async {
            {
                let socket = shared.socket()?;
                socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
                socket.listen(BACKLOG)
            }
        });
        let listener = listener.unwrap_or_else(|error| panic!("no port for a proxy: {error}"));
        let port = listener.local_addr().unwrap_or_else(|error| panic!("{error}")).port();
        runtime.spawn(accept(listener, shared.clone()));
        Self {
            port,
            shared,
            runtime: Some(runtime),
        }
    }

    /// Keeps all bytes from now on, for [`Self::has_carried`].
    pub fn record(&self) {
        self.shared.log().recorded.get_or_insert_default();
    }

    /// Whether these bytes were relayed side by side in one direction, since [`Self::record`].
    pub fn has_carried(&self, bytes: &[u8]) -> bool {
        let log = self.shared.log();
        let recorded = log.recorded.as_deref().unwrap_or_default();
        recorded.windows(bytes.len()).any(|part| part == bytes)
    }

    /// The address of a data lane behind it that speaks TLS, for `system.websocket.advertised`.
    pub fn tls_url(&self) -> String {
        format!("wss://127.0.0.1:{}", self.port)
    }

    /// The address of a data lane behind it, for `system.websocket.advertised`.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Relays to the data lane of this server, once it listens.
    ///
    /// # Panics
    /// If the server doesn't print where it listens.
    #[track_caller]
    pub fn relay_to(&self, server: &Process) {
        self.relay_to_address(server.data_lane());
    }

    /// Relays to a data lane that listens there, or will.
    pub fn relay_to_address(&self, target: SocketAddr) {
        self.shared.orders.send_modify(|orders| orders.target = Some(target));
    }

    /// What becomes of connections that come from now on; those that there are stay as they are.
    pub fn newcomers(&self, newcomers: Newcomers) {
        self.shared.orders.send_modify(|orders| orders.newcomers = newcomers);
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        self.shared.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Lets everything vanish that is sent over the connections that there are, in both directions and for good, and
    /// leaves them open: neither end hears anything.
    pub fn freeze(&self) {
        self.shared.orders.send_modify(|orders| orders.freezes += 1);
    }

    /// Cuts each of the next connections when it has carried this many bytes from the target; a number for each.
    /// Whatever is under way then is lost, mostly in the middle of a record.
    pub fn cut_after(&self, bytes: impl IntoIterator<Item = u64>) {
        self.shared.log().fates.extend(bytes.into_iter().map(Fate::CutAfter));
    }

    /// Does to the next connection what [`Self::freeze`] does, when it has carried this many bytes from the target.
    pub fn freeze_after(&self, bytes: u64) {
        self.shared.log().fates.push_back(Fate::FreezeAfter(bytes));
    }

    /// Waits until [`Self::freeze_after`] has come true: when that was.
    ///
    /// # Panics
    /// If `bound` passes before it.
    #[track_caller]
    pub fn wait_until_frozen(&self, bound: Duration) -> Instant {
        let waited = self
            .shared
            .frozen
            .wait_timeout_while(self.shared.log(), bound, |log| log.freezes.is_empty());
        let (log, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match log.freezes.first() {
            Some(frozen) => *frozen,
            None => panic!("no connection has carried enough to be frozen within {bound:?}"),
        }
    }

    /// How many connections were cut, and how long after each cut a connection carried frames again.
    pub fn cuts_and_recoveries(&self) -> (u64, Vec<Duration>) {
        let log = self.shared.log();
        let recovery = |cut: &Instant| Some(log.flows.iter().find(|flow| *flow >= cut)?.duration_since(*cut));
        (log.cuts.len() as u64, log.cuts.iter().filter_map(recovery).collect())
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // An asynchronous test must not wait for it.
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, ErrorKind, Read as _, Write as _},
        net::{TcpListener, TcpStream},
        thread,
    };

    use super::*;

    /// A server that sends back what it gets, and a proxy in front of it.
    fn echo() -> FaultProxy {
        echo_behind(FaultProxy::new())
    }

    fn echo_behind(proxy: FaultProxy) -> FaultProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || io::copy(&mut stream.try_clone().unwrap(), &mut stream));
            }
        });
        proxy.shared.orders.send_modify(|orders| orders.target = Some(target));
        proxy
    }

    fn connect(proxy: &FaultProxy) -> TcpStream {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port)).unwrap()
    }

    fn echoes(stream: &mut TcpStream) -> bool {
        let mut answer = [0; 2];
        stream.write_all(b"hi").is_ok() && stream.read_exact(&mut answer).is_ok()
    }

    #[test]
    fn it_relays_until_it_cuts_and_relays_new_connections() {
        let proxy = echo();
        for _ in 0..2 {
            let mut stream = connect(&proxy);
            assert!(echoes(&mut stream));
            proxy.cut();
            assert!(!echoes(&mut stream));
        }
        assert!(echoes(&mut connect(&proxy)));
        assert_eq!(proxy.cuts_and_recoveries().0, 2);
    }

    #[test]
    fn a_slow_one_takes_its_time() {
        let proxy = echo_behind(FaultProxy::slow(10_000));
        let mut stream = connect(&proxy);
        let begin = Instant::now();
        stream.write_all(&[7; 5000]).unwrap();
        let mut answer = vec![0; 5000];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [7; 5000]);
        assert!(begin.elapsed() >= Duration::from_millis(500), "{:?}", begin.elapsed());
    }

    #[test]
    fn it_cuts_after_exactly_as_many_bytes_as_it_was_told() {
        let proxy = echo();
        proxy.cut_after([3]);
        let mut stream = connect(&proxy);
        stream.write_all(b"hello").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"hel");
        assert!(echoes(&mut connect(&proxy)), "only one was to be cut");
    }

    #[test]
    fn it_freezes_after_exactly_as_many_bytes_as_it_was_told() {
        let proxy = echo();
        proxy.freeze_after(3);
        let mut stream = connect(&proxy);
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 3];
        stream.read_exact(&mut answer).unwrap();
        proxy.wait_until_frozen(Duration::from_secs(30));
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(!echoes(&mut stream));
        assert!(echoes(&mut connect(&proxy)), "only one was to be frozen");
    }

    #[test]
    fn a_frozen_connection_is_silent_and_a_new_one_works() {
        let proxy = echo();
        let mut stream = connect(&proxy);
        assert!(echoes(&mut stream));
        proxy.freeze();
        assert!(echoes(&mut connect(&proxy)));
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        stream.write_all(b"hi").unwrap();
        let error = stream.read(&mut [0; 2]).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            "{error}"
        );
    }

    #[test]
    fn a_refused_connection_is_reset() {
        let proxy = echo();
        proxy.newcomers(Newcomers::Refuse);
        assert!(!echoes(&mut connect(&proxy)));
        proxy.newcomers(Newcomers::Relay);
        assert!(echoes(&mut connect(&proxy)));
    }
}
