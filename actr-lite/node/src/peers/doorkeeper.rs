use std::{fmt::Display, net::SocketAddr, sync::Arc};

use actr_lite_net::host_check::check_host;
use actr_lite_wire::{
    acl::AclRefusal,
    credential::{self, Credential},
    host_policy::HostPolicy,
    identity::ActrId,
    peer_text::PeerText,
    possession::PROOF_HEADER,
    record::EXTENSION,
    record_limit::RecordLimit,
    websocket::accept_key,
};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{self, HeaderMap, HeaderValue},
};
use tokio::time::timeout;

use crate::{
    limits::accounts::Admission,
    peers::{
        connect_limit::ConnectLimit,
        peer_identities::{IdentityError, PeerIdentities, Shown},
        peer_limit::{RECORD_LIMIT_HEADER, peer_limit},
        peers::Peers,
        refused_upgrade::RefusedUpgrade,
        upgrade_headers::{CREDENTIAL_HEADER, KEEP_OPEN_HEADER, SOURCE_HEADER},
    },
    stream::stream_end::StreamEnd,
};

/// Decides who may connect to this node.
pub(super) struct Doorkeeper {
    pub(super) peers: Arc<Peers>,
    /// By which names others may address its data lane.
    hosts: HostPolicy,
    /// How often others may connect.
    connects: ConnectLimit,
    /// Who peers are that dial it.
    identities: PeerIdentities,
}

/// Who was let in, and what was agreed on.
pub(super) struct Admitted {
    pub(super) peer: ActrId,
    pub(super) extended: bool,
    pub(super) peer_limit: RecordLimit,
    pub(super) is_kept_by_peer: bool,
    pub(super) admission: Admission,
}

impl Doorkeeper {
    /// For connections to a node that may be addressed by these names.
    pub(super) fn new(peers: Arc<Peers>, hosts: HostPolicy) -> Self {
        Self {
            hosts,
            connects: ConnectLimit::default(),
            identities: PeerIdentities::new(peers.link().clone()),
            peers,
        }
    }

    /// Checks that it is an upgrade to WebSocket (RFC 6455 §4.2.1), and who asks for it.
    pub(super) async fn admit(
        &self,
        address: SocketAddr,
        request: &Request<Incoming>,
    ) -> Result<(Admitted, Response<Full<Bytes>>), RefusedUpgrade> {
        let streams = &self.peers.sessions().streams;
        check_host(&self.hosts, self.peers.tls().server.as_ref(), request)?;
        self.connects.request(address.ip())?;
        let headers = request.headers();
        let is_upgrade = request.method() == Method::GET
            && has_token(headers, header::CONNECTION, "upgrade")
            && has_token(headers, header::UPGRADE, "websocket");
        if !is_upgrade {
            return Err(RefusedUpgrade::new(
                StatusCode::UPGRADE_REQUIRED,
                "this is a WebSocket data lane: ask for an upgrade",
            ));
        }
        if headers
            .get(header::SEC_WEBSOCKET_VERSION)
            .is_none_or(|version| version != "13")
        {
            return Err(RefusedUpgrade::new(
                StatusCode::BAD_REQUEST,
                "only WebSocket version 13 is spoken here",
            ));
        }
        let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
            return Err(RefusedUpgrade::new(
                StatusCode::BAD_REQUEST,
                "the header Sec-WebSocket-Key is missing",
            ));
        };
        let peer = timeout(
            streams.occupancy.limits().header_timeout.duration(),
            self.authenticate(address, headers, key),
        )
        .await
        .map_err(|_| {
            RefusedUpgrade::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the credential can't be checked in time",
            )
        })??;
        self.connects.connect(&peer)?;
        if streams.is_stopping() {
            return Err(RefusedUpgrade::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "this node is shutting down",
            ));
        }
        let extended = has_token(headers, header::SEC_WEBSOCKET_PROTOCOL, EXTENSION);
        let peer_limit =
            peer_limit(headers, extended).map_err(|reason| RefusedUpgrade::new(StatusCode::BAD_REQUEST, reason))?;
        let is_admitted = self.admit_peer(&peer)?;
        let account = streams.occupancy.accounts().of(&peer);
        let admission = account.and_then(|account| account.admit()).map_err(|limit| {
            streams.tally.limit_reached(&limit);
            RefusedUpgrade::new(StatusCode::TOO_MANY_REQUESTS, format!("this node has {limit}"))
        })?;
        // Whom the list refuses has nothing to keep it for.
        let is_kept_by_peer = extended && headers.contains_key(KEEP_OPEN_HEADER) && is_admitted;
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let accept = accept_key(key.as_bytes());
        let answer = response.headers_mut();
        answer.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        answer.insert(
            header::SEC_WEBSOCKET_ACCEPT,
            HeaderValue::from_str(&accept)
                .map_err(|error| RefusedUpgrade::new(StatusCode::BAD_REQUEST, error.to_string()))?,
        );
        if extended {
            answer.insert(
                RECORD_LIMIT_HEADER,
                HeaderValue::from(self.peers.sessions().record_limit.bytes()),
            );
            answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(EXTENSION));
        }
        let admitted = Admitted {
            peer,
            extended,
            peer_limit,
            is_kept_by_peer,
            admission,
        };
        Ok((admitted, response))
    }

    /// Whether the access list admits a peer. One that it does not may still bring the stream that this node has asked it for,
    /// unless a rule denies it.
    fn admit_peer(&self, peer: &ActrId) -> Result<bool, RefusedUpgrade> {
        let sessions = self.peers.sessions();
        let Err(refusal) = sessions.access.admit(peer) else {
            return Ok(true);
        };
        if let AclRefusal::Denied { .. } = &refusal {
            for inbox in sessions.subscriptions.waiting_for(peer) {
                inbox.end(StreamEnd::Denied(refusal.clone()));
            }
        } else if sessions.subscriptions.wait_for_any(peer) {
            return Ok(false);
        }
        Err(RefusedUpgrade::new(StatusCode::FORBIDDEN, PeerText::of(&refusal)))
    }

    /// Who asks for the upgrade with this `Sec-WebSocket-Key`: it shows its own credential, or is refused.
    async fn authenticate(
        &self,
        address: SocketAddr,
        headers: &HeaderMap,
        websocket_key: &HeaderValue,
    ) -> Result<ActrId, RefusedUpgrade> {
        let unproven = |reason: &dyn Display| RefusedUpgrade::new(StatusCode::UNAUTHORIZED, reason.to_string());
        let value = |name: &str| {
            let value = headers.get(name);
            value.ok_or_else(|| unproven(&format_args!("the header {name} is missing")))
        };
        let source = value(SOURCE_HEADER)?;
        let peer = credential::source_id_from_header(source.as_bytes()).map_err(|error| unproven(&error))?;
        let credential = value(CREDENTIAL_HEADER)?;
        let credential = Credential::from_header(credential.as_bytes()).map_err(|error| unproven(&error))?;
        let shown = Shown {
            peer: &peer,
            credential: &credential,
            proof: headers.get(PROOF_HEADER).map(HeaderValue::as_bytes),
            websocket_key: websocket_key.as_bytes(),
        };
        let may_ask = || self.connects.unknown_key(address.ip());
        match self.identities.verify(shown, may_ask).await {
            Ok(()) => Ok(peer),
            Err(IdentityError::UnknownKeys(too_often)) => Err(too_often.into()),
            Err(error) => Err(unproven(&error)),
        }
    }
}

/// Whether a comma-separated header has this token, in whatever case.
fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
