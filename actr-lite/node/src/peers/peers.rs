use std::{sync::Arc, time::Duration};

use actr_lite_admin::event::Direction;
use actr_lite_engine::{
    accounts::{Admission, PeerAccount},
    peers::{
        dial::{Action, Dial},
        pool::Sharing,
    },
};
use actr_lite_manifest::WebRtcMode;
use actr_lite_net::{ClearText, DialProgress, Step};
use actr_lite_registry_client::{Candidate, RegistryLink, RegistryLinkError};
use actr_lite_tls::Tls;
use actr_lite_wire::{
    identity::{ActrId, ActrType},
    websocket::Role,
};
use tokio::time::{self, Instant, sleep_until};
use tracing::Instrument as _;

use crate::{
    error::{actr_error::ActrError, discover_error::DiscoverError},
    lane::{
        closing::Closing,
        lane::Lane,
        websocket::{connection::Connection, upgraded::Upgraded},
    },
    peers::{
        addresses::Addresses,
        dial::{Dialer, dial_address},
        dials::{Dialling, Dials},
        open_sessions::OpenSessions,
        peer_connection::PeerConnection,
        pool::OpenConnection,
        webrtc::Desk,
    },
    session::{
        receiver::SessionReceiver, serve::Serve, session::Session, session_environment::SessionEnvironment,
        session_handle::SessionHandle,
    },
    settings::webrtc::WebRtc,
    tally::tally::Tally,
    trace::spans,
};

/// How long a session over WebRTC may take where it is preferred, until the peer is dialled too: it may have WebRTC off, and says
/// nothing then. A session takes less than a second, and some more where relays are needed and lose something; a call waits
/// for 30 s.
const PREFERRED_TIMEOUT: Duration = Duration::from_secs(8);

/// The connections of a node to others, and how they are made.
pub(crate) struct Peers {
    link: RegistryLink,
    tls: Tls,
    /// Where this node shows its credential without TLS.
    clear_text: ClearText,
    addresses: Addresses,
    open: Arc<OpenSessions>,
    dials: Arc<Dials>,
    desk: Arc<Desk>,
}

impl Peers {
    /// Of a node whose sessions share `sessions`, and whose peers' calls are served by `serve`.
    pub(crate) fn new(
        link: RegistryLink,
        tls: Tls,
        clear_text: ClearText,
        webrtc: WebRtc,
        sessions: Arc<SessionEnvironment>,
        serve: Arc<dyn Serve>,
    ) -> Arc<Self> {
        let open = OpenSessions::new(sessions, serve);
        Arc::new(Self {
            addresses: Addresses::new(link.clone()),
            desk: Desk::new(webrtc, tls.client.clone(), link.clone(), Arc::clone(&open)),
            link,
            tls,
            clear_text,
            open,
            dials: Arc::default(),
        })
    }

    /// This node's own connection to its registry.
    pub(crate) fn link(&self) -> &RegistryLink {
        &self.link
    }

    /// Who this node is to those who dial it, and whom it trusts.
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// The peers with which there are sessions over WebRTC.
    pub(crate) fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// All open sessions.
    pub(super) fn open(&self) -> &OpenSessions {
        &self.open
    }

    /// What the sessions share.
    pub(super) fn sessions(&self) -> &SessionEnvironment {
        self.open.environment()
    }

    /// What the node has done.
    pub(crate) fn tally(&self) -> &Tally {
        &self.sessions().streams.tally
    }

    /// An open connection to this peer.
    pub(crate) fn find(&self, peer: &ActrId) -> Option<SessionHandle> {
        self.open.find(peer)
    }

    /// A connection to this peer: an open one, or a new one.
    ///
    /// Whoever comes while one is being made shares its fate, good or bad.
    pub(crate) async fn connect(self: &Arc<Self>, peer: &ActrId) -> Result<SessionHandle, ActrError> {
        loop {
            if let Some(session) = self.find(peer) {
                return Ok(session);
            }
            let (waiting, dialling) = self.dials.join(peer);
            if let Some(dialling) = dialling {
                let dial = Arc::clone(self).dial_shared(peer.clone(), dialling);
                let tasks = &self.sessions().streams.tasks;
                tasks.spawn_runtime("a dial", Box::pin(dial.in_current_span()));
            }
            let session = waiting.outcome().await?;
            if let Some(error) = session.uplink().gone() {
                return Err(error.into());
            }
            // It came so late that the connection is being closed again for want of use: once more.
            if let Some(session) = SessionHandle::enter(&session) {
                return Ok(session);
            }
        }
    }

    /// Dials for all who wait.
    async fn dial_shared(self: Arc<Self>, peer: ActrId, dialling: Dialling) {
        let dial = async {
            // One may have been made since.
            match self.find(&peer) {
                Some(session) => Ok(session),
                None => {
                    self.dial(&peer, Sharing::Shared, dialling.progress(), &|| dialling.may_ask())
                        .await
                }
            }
        };
        tokio::select! {
            session = dial => dialling.conclude(session.map(|session| Arc::clone(&session))),
            () = dialling.dropped() => {}
            () = self.sessions().streams.tasks.stop().cancelled() => {}
        }
    }

    /// A new connection to this peer that only the holders of the handle use.
    ///
    /// Over WebRTC it is the one that everybody uses: there is only one with each peer.
    pub(crate) async fn connect_alone(self: &Arc<Self>, peer: &ActrId) -> Result<SessionHandle, ActrError> {
        self.dial(peer, Sharing::Own, &DialProgress::default(), &|| true).await
    }

    /// The step at which the connection to this peer is that is being made, if one is.
    pub(crate) fn dial_standing(&self, peer: &ActrId) -> Option<String> {
        self.dials.standing(peer)
    }

    /// A node of this type to which a connection is being made, and at which step that is.
    pub(crate) fn dial_to(&self, actr_type: &ActrType) -> Option<(ActrId, String)> {
        self.dials.to_type(actr_type)
    }

    /// The registry has named these, with their addresses.
    pub(crate) fn remember_addresses(&self, candidates: &[Candidate]) {
        self.addresses.remember(candidates);
    }

    /// A new connection to this peer. Meanwhile `progress` tells the step; `may_ask` is asked before the peer is.
    async fn dial(
        self: &Arc<Self>,
        peer: &ActrId,
        sharing: Sharing,
        progress: &DialProgress,
        may_ask: &(dyn Fn() -> bool + Sync),
    ) -> Result<SessionHandle, ActrError> {
        if self.sessions().streams.is_stopping() {
            return Err(ActrError::Stopping);
        }
        let mode = self.desk.mode();
        let over_webrtc = async || {
            if !may_ask() {
                return Err(ActrError::Stopping);
            }
            let _step = progress.enter(Step::Answer("question for a session over WebRTC"));
            self.desk.connect(peer).await
        };
        if mode == WebRtcMode::Prefer && sharing == Sharing::Shared {
            match time::timeout(PREFERRED_TIMEOUT, over_webrtc()).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(_)) => return self.dial_websocket(peer, sharing, progress, may_ask).await,
                // A session may still come, if there is no other way.
                Err(_) => {}
            }
        }
        match self.dial_websocket(peer, sharing, progress, may_ask).await {
            Err(ActrError::Discover(DiscoverError::NotListed { .. })) if mode != WebRtcMode::Off => over_webrtc().await,
            Err(error @ ActrError::Unreachable { .. }) if mode != WebRtcMode::Off => {
                over_webrtc().await.map_err(|_| error)
            }
            dialled => dialled,
        }
    }

    async fn dial_websocket(
        &self,
        peer: &ActrId,
        sharing: Sharing,
        progress: &DialProgress,
        may_ask: &(dyn Fn() -> bool + Sync),
    ) -> Result<SessionHandle, ActrError> {
        let streams = &self.sessions().streams;
        let admission = streams.occupancy.accounts().of(peer).and_then(|account| account.dial());
        let admission = admission.inspect_err(|limit| streams.tally.limit_reached(limit))?;
        let upgraded = self.upgraded(peer, sharing, progress, may_ask);
        let upgraded = spans::within(spans::dial(peer), upgraded).await?;
        let (session, connection) = self.connected(peer.clone(), admission, upgraded, Role::Client, sharing, false);
        let session = SessionHandle::enter(&session).ok_or(ActrError::Stopping)?;
        self.drive(connection);
        Ok(session)
    }

    /// Dials until the peer takes the connection, or it makes no more sense.
    async fn upgraded(
        &self,
        peer: &ActrId,
        sharing: Sharing,
        progress: &DialProgress,
        may_ask: &(dyn Fn() -> bool + Sync),
    ) -> Result<Upgraded, ActrError> {
        let began = Instant::now();
        let mut dial = Dial::new(self.addresses.look_up(peer));
        loop {
            match dial.next(began.elapsed()) {
                Action::Ask { timeout } => {
                    let _step = progress.enter(Step::Answer("question for its address"));
                    let asked = self.addresses.ask(peer);
                    let answer = match timeout {
                        None => Some(asked.await?),
                        Some(timeout) => time::timeout(timeout, asked).await.ok().and_then(Result::ok),
                    };
                    match answer {
                        Some(address) => dial.told(address.ok_or_else(|| self.not_listed(peer))?),
                        None => drop(dial.not_told()),
                    }
                }
                Action::Connect(address) => {
                    let identity = self.link.identity().ok_or(RegistryLinkError::Stopped)?;
                    let prove = |websocket_key: &[u8]| self.link.prove(&identity, peer, websocket_key);
                    let dialer = Dialer {
                        tls: &self.tls.client,
                        clear_text: self.clear_text,
                        id: &identity.actor_id,
                        credential: &identity.credential,
                        prove: &prove,
                        may_ask,
                        record_limit: self.sessions().record_limit,
                        keeps_open: sharing == Sharing::Own,
                    };
                    let error = match dial_address(&address, dialer, progress).await {
                        Ok(upgraded) => return Ok(upgraded),
                        Err(error) => error,
                    };
                    if let Err(given_up) = dial.failed(error.failure(), began.elapsed(), rand::random()) {
                        if given_up.doubts_address {
                            self.addresses.doubt(peer);
                        }
                        return Err(error.of(peer));
                    }
                }
                Action::Wait(until) => sleep_until(began + until).await,
            }
        }
    }

    fn not_listed(&self, peer: &ActrId) -> DiscoverError {
        DiscoverError::NotListed {
            peer: peer.clone(),
            registry: self.link.url().to_string(),
        }
    }

    /// Serves a peer over the connection that it has made, in a task of its own.
    pub(super) fn serve(&self, peer: ActrId, admission: Admission, upgraded: Upgraded, is_kept_by_peer: bool) {
        let (_, connection) = self.connected(
            peer,
            admission,
            upgraded,
            Role::Server,
            Sharing::Shared,
            is_kept_by_peer,
        );
        self.drive(connection);
    }

    fn drive(&self, connection: PeerConnection) {
        self.sessions()
            .streams
            .tasks
            .spawn_runtime("a data lane connection", Box::pin(connection.run()));
    }

    /// Makes a connection's session known; it works once the connection is driven.
    fn connected(
        &self,
        peer: ActrId,
        admission: Admission,
        upgraded: Upgraded,
        role: Role,
        sharing: Sharing,
        is_kept_by_peer: bool,
    ) -> (Arc<Session>, PeerConnection) {
        let SessionEnvironment {
            streams, record_limit, ..
        } = self.sessions();
        let (account, is_tls) = (admission.account(), upgraded.stream.is_tls());
        let direction = match role {
            Role::Client => Direction::Out,
            Role::Server => Direction::In,
        };
        let connection = Connection::new(upgraded, role, *record_limit, streams.stall_timeout(), account);
        let (session, receiver) = self.session(peer, connection.lane(), Arc::clone(account));
        let idle_timeout = streams.occupancy.limits().idle_timeout.duration();
        let open = OpenConnection {
            session: Arc::clone(&session),
            direction,
            is_tls,
        };
        let connection = PeerConnection {
            receiver,
            session: Arc::downgrade(&session),
            connection,
            idle_timeout: (!is_kept_by_peer).then_some(idle_timeout),
            admission,
            place: self.open.enter(open, sharing),
        };
        (session, connection)
    }

    /// A session with a peer over a lane, and what takes the lane's records for it.
    pub(crate) fn session(
        &self,
        peer: ActrId,
        lane: Arc<dyn Lane>,
        account: Arc<PeerAccount>,
    ) -> (Arc<Session>, SessionReceiver) {
        self.open.begin(peer, lane, account)
    }

    /// The open connections, as they are shown, each with its number.
    pub(crate) fn connections(&self) -> Vec<(u64, OpenConnection)> {
        self.open.shown()
    }

    /// Tells all peers that this node shuts down, so that they can go elsewhere in time.
    pub(crate) fn say_leaving(&self) {
        self.open.say_leaving();
    }

    /// Asks all to send what they have and to close.
    pub(crate) fn close_all(&self, cause: Closing) {
        self.open.close_all(cause);
    }
}
