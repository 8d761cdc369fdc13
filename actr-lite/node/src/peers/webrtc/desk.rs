use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use actr_lite_engine::held_bytes::HeldBytes;
use actr_lite_manifest::WebRtcMode;
use actr_lite_registry_client::{RegistryLink, Relayed};
use actr_lite_tls::ClientTls;
use actr_lite_webrtc::{
    peer::{Certificate, NoCertificate},
    signal::Signal,
};
use actr_lite_wire::{
    identity::ActrId,
    peer_text::PeerText,
    rate_limit::{Rate, RateLimit},
};
use tokio::{
    sync::{OnceCell, mpsc, oneshot},
    task::spawn_blocking,
};
use tracing::{debug, warn};

use crate::{
    error::actr_error::ActrError,
    peers::{
        open_sessions::OpenSessions,
        webrtc::{
            driver::Driver,
            endpoint::Endpoint,
            found::Found,
            input::{Input, MAX_INPUTS},
            nat::Nat,
            open_session::FREE_BYTES,
            sockets::Sockets,
        },
    },
    session::session_handle::SessionHandle,
    settings::webrtc::WebRtc,
};

/// What one peer says by way of the registry: the burst is what a dozen sessions take that it makes at once, the rate that of
/// one that is made anew each second. Each offer makes this node calculate for some milliseconds.
const SIGNALS_OF_PEER: Rate = Rate {
    burst: 256,
    per_second: 20,
};

/// How often a session is asked for when the peer's task ends before it hears of it: it does so after it had nothing to do
/// for a while, and then there is a new one.
const CONNECT_TRIES: usize = 2;

/// The peers with which this node has sessions over WebRTC, or is about to.
pub(crate) struct Desk {
    link: RegistryLink,
    sessions: Arc<OpenSessions>,
    certificate: OnceCell<Certificate>,
    sockets: Arc<Sockets>,
    found: Arc<Found>,
    webrtc: Arc<WebRtc>,
    tls: ClientTls,
    drivers: Mutex<Drivers>,
}

#[derive(Default)]
struct Drivers {
    last_number: u64,
    by_peer: HashMap<ActrId, (u64, mpsc::Sender<Input>)>,
}

impl Desk {
    pub(crate) fn new(webrtc: WebRtc, tls: ClientTls, link: RegistryLink, sessions: Arc<OpenSessions>) -> Arc<Self> {
        let streams = &sessions.environment().streams;
        Arc::new(Self {
            sockets: Sockets::new(streams.tasks.clone(), Arc::clone(&streams.tally)),
            found: Found::new(webrtc.force_relay),
            webrtc: Arc::new(webrtc),
            tls,
            link,
            sessions,
            certificate: OnceCell::new(),
            drivers: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Drivers> {
        // No code panics while it holds the lock.
        self.drivers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When sessions over WebRTC are tried.
    pub(crate) fn mode(&self) -> WebRtcMode {
        self.webrtc.mode
    }

    /// Takes what other nodes say, until the node stops.
    pub(crate) async fn run(self: Arc<Self>, mut relayed: mpsc::Receiver<Relayed>) {
        if self.mode() == WebRtcMode::Off {
            return;
        }
        // Before anybody wants a session, if possible: it takes as long as all the rest of making one.
        if let Err(error) = self.certificate().await {
            return warn!("there is no WebRTC: {error}");
        }
        let tasks = &self.sessions.environment().streams.tasks;
        let nat = Nat {
            webrtc: Arc::clone(&self.webrtc),
            found: Arc::clone(&self.found),
            sockets: Arc::clone(&self.sockets),
            tls: self.tls.clone(),
        };
        let nat = nat.run(self.link.clone(), tasks.clone());
        tasks.spawn_runtime("what helps through NAT", Box::pin(nat));
        let stop = tasks.stop();
        let (began, mut signals) = (Instant::now(), RateLimit::new(SIGNALS_OF_PEER));
        while let Some(Some(relayed)) = stop.run_until_cancelled(relayed.recv()).await {
            if let Relayed::Said { from, .. } = &relayed
                && let Err(too_often) = signals.take((from.realm_id(), from.serial_number()), began.elapsed())
            {
                debug!(peer = %from, reason = %too_often.of("messages by way of the registry come"), "one is dropped");
                continue;
            }
            self.take(relayed);
        }
    }

    /// Who this node is to DTLS, in all sessions.
    async fn certificate(&self) -> Result<&Certificate, NoCertificate> {
        let generate = || async {
            spawn_blocking(Certificate::generate)
                .await
                .unwrap_or(Err(NoCertificate))
        };
        self.certificate.get_or_try_init(generate).await
    }

    fn take(self: &Arc<Self>, relayed: Relayed) {
        match relayed {
            Relayed::Refused { to, reason } => {
                if let Some(inputs) = self.known(&to) {
                    drop(inputs.try_send(Input::Refused(reason)));
                }
            }
            Relayed::Said { from, payload } => match Signal::read(payload) {
                // The peer says it again if it still wants something.
                Ok(signal) => drop(self.tell(&from, Input::Signal(signal))),
                Err(error) => debug!(peer = %from, reason = %error, "a message by way of the registry is dropped"),
            },
        }
    }

    /// A session with this peer: the one that there is, or a new one.
    pub(crate) async fn connect(self: &Arc<Self>, peer: &ActrId) -> Result<SessionHandle, ActrError> {
        for _ in 0..CONNECT_TRIES {
            let (waiter, outcome) = oneshot::channel();
            self.tell(peer, Input::Connect(waiter))?;
            if let Ok(outcome) = outcome.await {
                return outcome;
            }
            // The peer's task has just ended for want of anything to do.
        }
        let (peer, cause) = (peer.clone(), PeerText::new("there is no WebRTC"));
        Err(ActrError::Unreachable { peer, cause })
    }

    /// Tells the task of a peer; begins one if there is none, and the peer may have one.
    fn tell(self: &Arc<Self>, peer: &ActrId, input: Input) -> Result<(), ActrError> {
        let Some(input) = self.tell_known(peer, input)? else {
            return Ok(());
        };
        let streams = &self.sessions.environment().streams;
        if streams.is_stopping() {
            return Err(ActrError::Stopping);
        }
        let is_asked_for = matches!(input, Input::Connect(_));
        if !is_asked_for && let Err(refusal) = self.sessions.admit(peer) {
            debug!(%peer, reason = %refusal, "a session over WebRTC is refused");
            return Ok(());
        }
        let account = streams.occupancy.accounts().of(peer);
        let admission = account.and_then(|account| if is_asked_for { account.dial() } else { account.admit() });
        let admission = admission.inspect_err(|limit| streams.tally.limit_reached(limit))?;
        let (inputs, received) = mpsc::channel(MAX_INPUTS);
        let mut drivers = self.lock();
        // Another one may have been quicker.
        if drivers.by_peer.get(peer).is_some_and(|(_, inputs)| !inputs.is_closed()) {
            drop(drivers);
            return self.tell_known(peer, input).map(drop);
        }
        drivers.last_number += 1;
        let number = drivers.last_number;
        // It is new, and has room.
        drop(inputs.try_send(input));
        drivers.by_peer.insert(peer.clone(), (number, inputs));
        drop(drivers);
        let (desk, peer) = (Arc::clone(self), peer.clone());
        let memory = HeldBytes::new(Arc::clone(admission.account()), FREE_BYTES);
        let run = async move {
            // However it ends.
            let Leave { desk, peer, .. } = &Leave { desk, peer, number };
            if let Ok(certificate) = desk.certificate().await
                && let Some(endpoint) = Endpoint::new(Arc::clone(&desk.sockets), Some(memory))
            {
                let (link, sessions) = (desk.link.clone(), Arc::clone(&desk.sessions));
                let nat = desk.found.enter();
                let driver = Driver::new(
                    link,
                    sessions,
                    endpoint,
                    nat,
                    peer.clone(),
                    certificate.clone(),
                    admission,
                );
                driver.run(received).await;
            }
        };
        streams.tasks.spawn_runtime("a WebRTC session", Box::pin(run));
        Ok(())
    }

    /// The way to the task of a peer, if there is one. What is sent there wakes the task, so that the lock is let go first.
    fn known(&self, peer: &ActrId) -> Option<mpsc::Sender<Input>> {
        self.lock().by_peer.get(peer).map(|(_, inputs)| inputs.clone())
    }

    /// Tells the task of a peer; gives the input back if there is none.
    fn tell_known(&self, peer: &ActrId, input: Input) -> Result<Option<Input>, ActrError> {
        let Some(inputs) = self.known(peer) else {
            return Ok(Some(input));
        };
        match inputs.try_send(input) {
            Ok(()) => Ok(None),
            // It is about to take itself out of the table.
            Err(mpsc::error::TrySendError::Closed(input)) => Ok(Some(input)),
            Err(mpsc::error::TrySendError::Full(_)) => {
                let cause = PeerText::new("too much of what it says by way of the registry waits");
                let peer = peer.clone();
                Err(ActrError::Unreachable { peer, cause })
            }
        }
    }
}

/// Takes a driver out of the table.
struct Leave {
    desk: Arc<Desk>,
    peer: ActrId,
    number: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut drivers = self.desk.lock();
        if drivers
            .by_peer
            .get(&self.peer)
            .is_some_and(|(number, _)| *number == self.number)
        {
            drivers.by_peer.remove(&self.peer);
        }
    }
}
