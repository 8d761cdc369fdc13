use std::{sync::Arc, time::Duration};

use actr_lite_admin::event::Direction;
use actr_lite_engine::{accounts::Admission, held_bytes::HeldBytes, upgrade::offer::Agreed};
use actr_lite_registry_client::RegistryLink;
use actr_lite_webrtc::{
    burst::Burst,
    demultiplexer::{Evidence, Path},
    peer::{Certificate, Event, Local, Output, Peer, Setup},
    stun::{Class, Stun},
};
use actr_lite_wire::{identity::ActrId, peer_text::PeerText, websocket::CloseFrame};
use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tracing::debug;

use crate::{
    error::actr_error::ActrError,
    lane::{close_reason::CloseReason, closing::Closing, receiver::Violation},
    peers::{
        open_sessions::OpenSessions,
        webrtc::{
            alarm::Alarm,
            arrivals::{Arrival, Arrived},
            endpoint::Endpoint,
            found::{Addresses, NatUser},
            input::{Input, MAX_INPUTS},
            open_session::{FREE_BYTES, OpenSession, progress},
        },
    },
    session::session_handle::SessionHandle,
};

/// How many datagrams the session takes before it says what it has got. A receiver of SCTP acknowledges every second one at
/// once, and a single one after 200 ms (RFC 9260 §6.2): one that takes more before it can answer starts that wait anew with
/// an odd one, and a sender whose window is full waits with it.
const DATAGRAMS_AT_ONCE: usize = 2;

/// How long the task of a peer waits for what comes next, with neither a session nor one that is being made: candidates may
/// come before their offer.
const LINGER: Duration = Duration::from_secs(10);

/// The sessions with one peer: it moves datagrams, signals and records.
pub(super) struct Driver {
    link: RegistryLink,
    sessions: Arc<OpenSessions>,
    peer: ActrId,
    machine: Peer<HeldBytes>,
    began: Instant,
    endpoint: Endpoint,
    nat: NatUser,
    /// What servers have found and made, as the session knows it.
    found: Addresses,
    waiting: Vec<oneshot::Sender<Result<SessionHandle, ActrError>>>,
    open: Option<OpenSession>,
    admission: Admission,
    idle_since: Instant,
}

impl Driver {
    pub(super) fn new(
        link: RegistryLink,
        sessions: Arc<OpenSessions>,
        endpoint: Endpoint,
        nat: NatUser,
        peer: ActrId,
        certificate: Certificate,
        admission: Admission,
    ) -> Self {
        let began = Instant::now();
        let account = Arc::clone(admission.account());
        let own = sessions.environment().access.own_id();
        let is_first = (own.serial_number(), own.to_string()) < (peer.serial_number(), peer.to_string());
        let machine = Peer::new(Setup {
            certificate,
            epoch: began.into_std(),
            is_first,
            seed: rand::random(),
            max_record_len: sessions.environment().record_limit.bytes(),
            memory: Box::new(move || HeldBytes::new(Arc::clone(&account), FREE_BYTES)),
        });
        Self {
            link,
            sessions,
            peer,
            machine,
            began,
            endpoint,
            nat,
            found: Addresses::default(),
            waiting: Vec::new(),
            open: None,
            admission,
            idle_since: began,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Makes sessions with the peer as long as either side wants one.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        self.open_sockets().await;
        let (mut waiting, mut alarm) = (Vec::new(), Alarm::new());
        let stop = self.sessions.environment().streams.tasks.stop().clone();
        loop {
            let wake = self.act().await;
            // What has come is handed over first, whatever became of the session.
            let is_idle = self.machine.is_idle() && self.open.is_none();
            if is_idle {
                self.endpoint.clear();
                if self.idle_since.elapsed() >= LINGER || stop.is_cancelled() {
                    break;
                }
            } else {
                self.idle_since = Instant::now();
            }
            let until = match is_idle {
                true => Some(self.idle_since + LINGER),
                false => wake.map(|wake| self.began + wake),
            };
            let is_closing = self.machine.is_closing();
            let open = &mut self.open;
            let (endpoint, nat) = (&self.endpoint, &mut self.nat);
            tokio::select! {
                biased;
                // All of them before anything is done: a question is not asked that has been answered meanwhile.
                count = inputs.recv_many(&mut waiting, MAX_INPUTS) => match count {
                    0 => break,
                    _ => waiting.drain(..).for_each(|input| self.input(input)),
                },
                () = stop.cancelled(), if !is_closing => {
                    let now = self.now();
                    self.machine.stop(Closing::ShuttingDown.frame(), now);
                }
                arrived = endpoint.arrived() => self.receive(arrived).await,
                found = nat.changed() => self.reached_at(found),
                () = progress(open) => {}
                () = alarm.rings(until) => {}
            }
        }
        self.lost("it stops");
    }

    fn close(&mut self, reason: CloseFrame) {
        let now = self.now();
        self.machine.close(reason, now);
    }

    /// The addresses of this host by which others are reached: on the way to the registry, and to anywhere. Others follow
    /// when it is known where the peer is.
    async fn open_sockets(&mut self) {
        if self.nat.is_relay_only() {
            return;
        }
        let url = self.link.url();
        let locals = self.endpoint.open_towards_host(url.host(), url.port()).await;
        for local in locals.into_iter().chain(self.endpoint.open_default()) {
            self.machine.add_local(local);
        }
    }

    /// Servers have found and made these addresses, and no others.
    fn reached_at(&mut self, found: Addresses) {
        let now = self.now();
        for gone in self.found.all().filter(|known| !found.has(*known)) {
            self.machine.remove_local(gone, now);
        }
        for retired in &found.retired {
            self.machine.retire_local(*retired);
        }
        for local in &found.usable {
            // What comes there comes to that socket, which others may have opened.
            if let Local::Reflexive { base, .. } = local
                && let Some(opened) = self.endpoint.open_at(base.ip())
            {
                self.machine.add_local(opened);
            }
            self.machine.add_local(*local);
        }
        self.found = found;
    }

    /// Nothing comes from the peer: this host, or the NAT before it, may have another address.
    fn look_for_addresses(&mut self) {
        self.nat.doubt();
        if !self.nat.is_relay_only()
            && let Some(local) = self.endpoint.open_default()
        {
            self.machine.add_local(local);
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::Refused(reason) => self.machine.refused(reason.as_str(), now),
            Input::Signal(signal) => {
                debug!(peer = %self.peer, signal = signal.word(), "heard by way of the registry");
                let remotes = if self.nat.is_relay_only() {
                    Vec::new()
                } else {
                    signal.addresses()
                };
                for remote in remotes {
                    if let Some(local) = self.endpoint.open_towards(remote) {
                        self.machine.add_local(local);
                    }
                }
                self.machine.signal(signal, now);
            }
            Input::Connect(waiter) => match self.open.as_ref().and_then(OpenSession::handle) {
                Some(handle) => drop(waiter.send(Ok(handle))),
                None => {
                    self.waiting.retain(|waiter| !waiter.is_closed());
                    self.waiting.push(waiter);
                    self.machine.connect(now);
                }
            },
        }
    }

    /// Takes the datagrams that have come.
    async fn receive(&mut self, arrived: Arrived) {
        let mut count = 0;
        for arrival in arrived.iter() {
            for datagram in arrival.datagrams() {
                self.take(arrival, datagram);
                count += 1;
                // While a session is made, each may be answered, and others wait for that.
                if count % DATAGRAMS_AT_ONCE == 0 || !self.machine.is_ready() {
                    self.act().await;
                }
            }
        }
    }

    fn take(&mut self, arrival: &Arrival, datagram: &[u8]) {
        let (from, to, now) = (arrival.from, arrival.to, self.now());
        let is_authentic = self.machine.receive(from, to, datagram, now);
        if let Some(stun) = Stun::read(datagram).filter(|_| is_authentic) {
            let path = Path {
                local: to,
                remote: from,
            };
            match stun.class {
                Class::Request => self.endpoint.bind(path, Evidence::Question),
                Class::Success => self.endpoint.bind(path, Evidence::Answer),
                Class::Failure | Class::Indication => {}
            }
        }
    }

    /// Does all that is to be done now. Until when to wait then.
    async fn act(&mut self) -> Option<Duration> {
        loop {
            self.write();
            let until = self.put_out().await;
            if self.take_events().await {
                continue;
            }
            let (begun, now) = (self.machine.begun(), self.now());
            let open = self.open.as_mut();
            match open.map_or(Ok(None), |open| open.look_at_begun(begun, now)) {
                Ok(deadline) => return until.into_iter().chain(deadline).min(),
                Err(violation) => self.violated(violation),
            }
        }
    }

    /// Sends and says what the session wants to be sent and said. Until when to wait then.
    async fn put_out(&mut self) -> Option<Duration> {
        let mut burst: Option<Burst> = None;
        loop {
            match self.machine.poll(self.now()) {
                Output::Transmit(datagram) => {
                    let is_refused = match &mut burst {
                        None => Err(datagram),
                        Some(burst) => burst.push(datagram),
                    };
                    if let Err(next) = is_refused
                        && let Some(full) = burst.replace(next.into())
                    {
                        self.endpoint.send(&full).await;
                    }
                }
                Output::Signal(signal) => {
                    debug!(peer = %self.peer, signal = signal.word(), "told by way of the registry");
                    if let Some(generation) = signal.generation() {
                        self.endpoint.name(generation);
                    }
                    let own = self.sessions.environment().access.own_id();
                    self.link.relay(self.peer.clone(), signal.payload(&own, &self.peer));
                }
                Output::Writable => self.write(),
                Output::Wait(until) => {
                    if let Some(last) = burst {
                        self.endpoint.send(&last).await;
                    }
                    return until;
                }
            }
        }
    }

    /// Hands messages to the session as long as it takes some; closes it when all has left that is to leave.
    fn write(&mut self) {
        let now = self.now();
        let Some(open) = &mut self.open else { return };
        if let Some(cause) = open.write(&mut self.machine, now)
            && !self.machine.is_closing()
        {
            self.close(cause.frame());
        }
    }

    /// Takes what has happened, as far as there is room for it. Whether anything was taken: it may have to be answered.
    async fn take_events(&mut self) -> bool {
        let mut is_any = false;
        loop {
            if let Some(open) = &mut self.open
                && !open.has_room().await
            {
                return is_any;
            }
            match self.machine.event() {
                None => return is_any,
                Some(Event::Record(record)) => self.deliver(record),
                Some(Event::Ready(agreed)) => self.ready(agreed),
                Some(Event::Path { is_relayed }) => {
                    let kind = if is_relayed { "relayed" } else { "direct" };
                    debug!(peer = %self.peer, "the path to the peer is {kind}");
                }
                Some(Event::Recovering) => {
                    debug!(peer = %self.peer, "the path to the peer is gone");
                    self.look_for_addresses();
                }
                Some(Event::Recovered) => debug!(peer = %self.peer, "the path to the peer is back"),
                Some(Event::Ended(reason)) => self.lost(&reason),
                Some(Event::Closed(frame)) => self.ended(CloseReason::Closed {
                    code: frame.code().value(),
                    reason: frame.reason().into(),
                }),
                Some(Event::Failed(reason)) => self.failed(&reason),
            }
            is_any = true;
        }
    }

    fn deliver(&mut self, message: Bytes) {
        let Some(open) = &mut self.open else { return };
        if let Err(violation) = open.deliver(message) {
            self.violated(violation);
        }
    }

    fn violated(&mut self, violation: Violation) {
        if let Some(open) = self.open.take() {
            let reason = open.violated(&self.peer, violation);
            self.close(reason);
        }
    }

    /// There is a session: those who wait get it.
    fn ready(&mut self, agreed: Agreed) {
        let direction = match self.waiting.is_empty() {
            true => Direction::In,
            false => Direction::Out,
        };
        debug!(peer = %self.peer, extended = agreed.extended, "connected over WebRTC");
        let account = self.admission.account();
        let open = OpenSession::new(&self.sessions, &self.peer, account, agreed, direction);
        for waiter in self.waiting.drain(..) {
            // Whoever does not wait any more needs no session.
            drop(waiter.send(open.handle().ok_or(ActrError::Stopping)));
        }
        self.open = Some(open);
    }

    fn lost(&mut self, reason: &str) {
        self.ended(CloseReason::Lost(PeerText::new(reason)));
    }

    fn ended(&mut self, reason: CloseReason) {
        if let Some(open) = self.open.take() {
            open.ended(&self.peer, reason);
        }
    }

    fn failed(&mut self, reason: &str) {
        for waiter in self.waiting.drain(..) {
            let (peer, cause) = (self.peer.clone(), PeerText::new(&format!("over WebRTC: {reason}")));
            drop(waiter.send(Err(ActrError::Unreachable { peer, cause })));
        }
    }
}
