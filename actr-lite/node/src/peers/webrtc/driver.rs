use std::{
    collections::VecDeque,
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use actr_lite_admin::event::Direction;
use actr_lite_engine::{accounts::Admission, held_bytes::HeldBytes, peers::pool::Sharing, upgrade::offer::Agreed};
use actr_lite_registry_client::RegistryLink;
use actr_lite_webrtc::{
    burst::Burst,
    demultiplexer::{Evidence, Path},
    outgoing::Batch,
    peer::{Certificate, Event, Local, Output, Peer, Setup},
    signal::Signal,
    stun::{Class, Stun},
};
use actr_lite_wire::{
    identity::ActrId, misbehaviour::MisbehaviourKind, peer_text::PeerText, record_queue::Precedence,
    websocket::CloseFrame,
};
use bytes::Bytes;
use tokio::{
    net::lookup_host,
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};
use tracing::debug;

use crate::{
    error::actr_error::ActrError,
    lane::{close_reason::CloseReason, closing::Closing, lane::Lane, receiver::Receiver as _, webrtc::outbox::Outbox},
    peers::{
        open_sessions::OpenSessions,
        peer_connection::close_when_unused,
        pool::{OpenConnection, PoolPlace},
        webrtc::{
            arrivals::Arrival,
            deadline::at,
            endpoint::Endpoint,
            found::NatUser,
            input::{Input, MAX_INPUTS},
        },
    },
    session::{receiver::SessionReceiver, session::Session, session_handle::SessionHandle},
};

/// How many datagrams the session takes before it says what it has got. A receiver of SCTP acknowledges every second one at
/// once, and a single one after 200 ms (RFC 9260 §6.2): one that takes more before it can answer starts that wait anew with
/// an odd one, and a sender whose window is full waits with it.
const DATAGRAMS_AT_ONCE: usize = 2;

/// How long the task of a peer waits for what comes next, with neither a session nor one that is being made: candidates may
/// come before their offer.
const LINGER: Duration = Duration::from_secs(10);

/// How long the registry's name may take to be looked up, for the address of this host on the way there.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// What of a record that comes in fragments costs nothing more than the connection.
const FREE_BYTES: usize = 16 << 10;

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
    found: Vec<Local>,
    waiting: Vec<oneshot::Sender<Result<SessionHandle, ActrError>>>,
    open: Option<OpenSession>,
    admission: Admission,
    idle_since: Instant,
}

/// A session that is ready, as the node knows it.
struct OpenSession {
    session: Arc<Session>,
    receiver: SessionReceiver,
    outbox: Arc<Outbox>,
    /// What is being sent of each precedence, what goes ahead first.
    sending: [(Precedence, Option<Batch>); 2],
    /// Something has come for which the receiver has no room yet.
    is_full: bool,
    /// Closes it when nobody has used it for a while.
    unused: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: PoolPlace,
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
            found: Vec::new(),
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
        let mut waiting = Vec::new();
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
                locals = nat.changed() => self.reached_at(locals),
                () = progress(open) => {}
                () = at(until) => {}
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
        let looked_up = timeout(LOOK_UP_TIMEOUT, lookup_host((url.host(), url.port()))).await;
        let registry: Vec<SocketAddr> = looked_up.ok().and_then(Result::ok).into_iter().flatten().collect();
        let towards_registry = registry
            .into_iter()
            .filter_map(|address| self.endpoint.open_towards(address));
        let locals: Vec<_> = towards_registry.collect();
        for local in locals.into_iter().chain(self.endpoint.open_default()) {
            self.machine.add_local(local);
        }
    }

    /// Servers have found and made these addresses, and no others.
    fn reached_at(&mut self, locals: Vec<Local>) {
        let now = self.now();
        for gone in self.found.iter().filter(|found| !locals.contains(found)) {
            self.machine.remove_local(*gone, now);
        }
        for local in &locals {
            // What comes there comes to that socket, which others may have opened.
            if let Local::Reflexive { base, .. } = local
                && let Some(opened) = self.endpoint.open_at(base.ip())
            {
                self.machine.add_local(opened);
            }
            self.machine.add_local(*local);
        }
        self.found = locals;
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
                    addresses(&signal)
                };
                for remote in remotes {
                    if let Some(local) = self.endpoint.open_towards(remote) {
                        self.machine.add_local(local);
                    }
                }
                self.machine.signal(signal, now);
            }
            Input::Connect(waiter) => match self.handle() {
                Some(handle) => drop(waiter.send(Ok(handle))),
                None => {
                    self.waiting.retain(|waiter| !waiter.is_closed());
                    self.waiting.push(waiter);
                    self.machine.connect(now);
                }
            },
        }
    }

    /// The session that there is, if it is not being closed.
    fn handle(&self) -> Option<SessionHandle> {
        let open = self.open.as_ref()?;
        open.session.is_open().then(|| SessionHandle::enter(&open.session))?
    }

    /// Takes the datagrams that have come.
    async fn receive(&mut self, arrived: VecDeque<Arrival>) {
        let mut count = 0;
        for arrival in arrived {
            for datagram in arrival.datagrams() {
                self.take(&arrival, datagram);
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
            if !self.take_events().await {
                return until;
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
        for (precedence, sending) in &mut open.sending {
            loop {
                if sending.is_none() {
                    *sending = open.outbox.take(*precedence);
                }
                let Some(batch) = sending else { break };
                while let Some((channel, message)) = batch.next() {
                    if !self.machine.write(channel, message, now) {
                        return;
                    }
                    batch.advance();
                }
                if let Some(batch) = sending.take() {
                    open.outbox.left(batch);
                }
            }
        }
        if let Some(cause) = open.outbox.closing()
            && !self.machine.is_closing()
        {
            self.machine.close(cause.frame(), now);
        }
    }

    /// Takes what has happened, as far as there is room for it. Whether anything was taken: it may have to be answered.
    async fn take_events(&mut self) -> bool {
        let mut is_any = false;
        loop {
            if let Some(open) = &mut self.open {
                let receiver = &mut open.receiver;
                let has_room = poll_fn(|cx| Poll::Ready(receiver.poll_room(cx).is_ready())).await;
                open.is_full = !has_room;
                if !has_room {
                    return is_any;
                }
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

    fn deliver(&mut self, record: Bytes) {
        let Some(open) = &mut self.open else { return };
        if let Err(violation) = open.receiver.receive(record) {
            open.receiver
                .complain(MisbehaviourKind::ProtocolViolation, &violation.reason);
            self.ended(CloseReason::Protocol(PeerText::new(&violation.reason)));
            self.close(CloseFrame::new(violation.code, violation.reason));
        }
    }

    /// There is a session: those who wait get it.
    fn ready(&mut self, agreed: Agreed) {
        let account = self.admission.account();
        let direction = match self.waiting.is_empty() {
            true => Direction::In,
            false => Direction::Out,
        };
        let outbox = Arc::new(Outbox::new(
            agreed,
            self.sessions.environment().record_limit,
            HeldBytes::new(Arc::clone(account), FREE_BYTES),
        ));
        let lane = Arc::clone(&outbox) as Arc<dyn Lane>;
        let (session, receiver) = self.sessions.begin(self.peer.clone(), lane, Arc::clone(account));
        let open = OpenConnection {
            session: Arc::clone(&session),
            direction,
            is_tls: true,
        };
        debug!(peer = %self.peer, extended = agreed.extended, "a session over WebRTC");
        let limits = self.sessions.environment().streams.occupancy.limits();
        let idle_timeout = limits.idle_timeout.duration();
        for waiter in self.waiting.drain(..) {
            let handle = SessionHandle::enter(&session).ok_or(ActrError::Stopping);
            // Whoever does not wait any more needs no session.
            drop(waiter.send(handle));
        }
        self.open = Some(OpenSession {
            receiver,
            outbox,
            sending: [(Precedence::Ahead, None), (Precedence::Bulk, None)],
            is_full: false,
            unused: Box::pin(close_when_unused(Some((Arc::downgrade(&session), idle_timeout)))),
            _place: self.sessions.enter(open, Sharing::Shared),
            session,
        });
    }

    fn lost(&mut self, reason: &str) {
        self.ended(CloseReason::Lost(PeerText::new(reason)));
    }

    fn ended(&mut self, reason: CloseReason) {
        let Some(mut open) = self.open.take() else { return };
        let closing = open.outbox.closing();
        let reason = closing.map_or(reason, |cause| CloseReason::Local(cause.to_string()));
        debug!(peer = %self.peer, %reason, "the session over WebRTC has ended");
        // First why, then that: whoever finds the outbox closed can say the reason.
        open.receiver.closed(reason);
        open.outbox.end();
    }

    fn failed(&mut self, reason: &str) {
        for waiter in self.waiting.drain(..) {
            let (peer, cause) = (self.peer.clone(), PeerText::new(&format!("over WebRTC: {reason}")));
            drop(waiter.send(Err(ActrError::Unreachable { peer, cause })));
        }
    }
}

/// Completes when the session has something to send, or room for what has come.
async fn progress(open: &mut Option<OpenSession>) {
    let Some(open) = open else {
        return pending().await;
    };
    let receiver = &mut open.receiver;
    tokio::select! {
        () = open.outbox.queued() => {}
        () = poll_fn(|cx| receiver.poll_room(cx)), if open.is_full => {}
        () = &mut open.unused => {}
    }
}

/// Where the peer may be reached, by what it says.
fn addresses(signal: &Signal) -> Vec<SocketAddr> {
    match signal {
        Signal::Candidate { candidate, .. } => address(candidate).into_iter().collect(),
        Signal::Offer(description) | Signal::Answer(description) | Signal::Reoffer(description) => {
            let lines = description.sdp.lines();
            lines.filter_map(|line| address(line.strip_prefix("a=")?)).collect()
        }
        Signal::AskRole | Signal::Role { .. } | Signal::AskRestart => Vec::new(),
    }
}

/// The address of a candidate (RFC 8839 §5.1).
fn address(candidate: &str) -> Option<SocketAddr> {
    let mut words = candidate.strip_prefix("candidate:")?.split_ascii_whitespace();
    let host = words.nth(4)?.parse().ok()?;
    Some(SocketAddr::new(host, words.next()?.parse().ok()?))
}
