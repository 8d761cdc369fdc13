use std::time::Duration;

use actr_lite_engine::{
    peers::dial::{Failure, UPGRADE_TIMEOUT},
    upgrade::offer::{Agreed, Offer, refusal},
};
use actr_lite_manifest::{ParseWebSocketUrlError, WebSocketUrl};
use actr_lite_net::{ClearText, DialError as ConnectError, DialProgress, Step, connect, leave_in_clear, secure};
use actr_lite_tls::{ClientTls, Stream};
use actr_lite_wire::{
    credential::Credential, identity::ActrId, peer_text::PeerText, possession::Proof, record_limit::RecordLimit,
};
use bytes::BytesMut;
use data_encoding::BASE64;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::time::{Instant, timeout};

use crate::{
    error::actr_error::ActrError,
    lane::websocket::{socket, upgraded::Upgraded},
};

/// The most bytes of a refusal's text that are read.
const MAX_REASON_LEN: usize = 1 << 10;

/// Why a peer's data lane can't be reached.
#[derive(Debug, Error)]
pub(crate) enum DialError {
    #[error("its address {address:?} is not valid: {cause}")]
    Address {
        address: PeerText,
        cause: ParseWebSocketUrlError,
    },
    #[error("{address}: {cause}")]
    Connect { address: PeerText, cause: ConnectError },
    #[error("nobody wants the connection any more")]
    Unwanted,
    #[error("{address}: no answer to the upgrade within {} s", UPGRADE_TIMEOUT.as_secs())]
    UpgradeTimeout { address: PeerText },
    #[error("{address}: the upgrade failed after {:.1} s: {cause}", after.as_secs_f64())]
    Upgrade {
        address: PeerText,
        after: Duration,
        cause: PeerText,
    },
    #[error("{address} does not admit this node: {reason}")]
    Denied { address: PeerText, reason: PeerText },
    #[error("{address} refused the connection ({status}): {reason}")]
    Refused {
        address: PeerText,
        status: StatusCode,
        reason: PeerText,
        /// What that means for the next try.
        failure: Failure,
    },
}

impl DialError {
    /// What it means for the next try.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Denied { .. } => Failure::Denied,
            Self::Refused { failure, .. } => *failure,
            _ => Failure::Unreachable,
        }
    }

    /// What one learns who wants a connection to this peer.
    pub(crate) fn of(self, peer: &ActrId) -> ActrError {
        let peer = peer.clone();
        match self {
            Self::Denied { reason, .. } => ActrError::NotAdmitted { peer, reason },
            error => {
                let cause = PeerText::of(&error);
                ActrError::Unreachable { peer, cause }
            }
        }
    }
}

/// Who dials.
#[derive(Clone, Copy)]
pub(crate) struct Dialer<'a> {
    /// Whom it trusts.
    pub(crate) tls: &'a ClientTls,
    /// Where it shows its credential without TLS.
    pub(crate) clear_text: ClearText,
    pub(crate) id: &'a ActrId,
    pub(crate) credential: &'a Credential,
    /// Proves to the peer that it shows its own credential, by the upgrade's `Sec-WebSocket-Key`.
    pub(crate) prove: &'a (dyn Fn(&[u8]) -> Option<Proof> + Sync),
    /// Whether anybody still wants the connection, asked once before the peer is: it may use it from then on.
    pub(crate) may_ask: &'a (dyn Fn() -> bool + Sync),
    /// The longest record that it takes.
    pub(crate) record_limit: RecordLimit,
    /// Whether it wants to keep the connection when nobody uses it.
    pub(crate) keeps_open: bool,
}

/// Connects to the data lane at `address`.
pub(crate) async fn dial_address(
    address: &str,
    dialer: Dialer<'_>,
    progress: &DialProgress,
) -> Result<Upgraded, DialError> {
    let url: WebSocketUrl = address.parse().map_err(|cause| DialError::Address {
        address: address.into(),
        cause,
    })?;
    let failed = |cause| DialError::Connect {
        address: address.into(),
        cause,
    };
    let socket = connect(url.host(), url.port(), progress).await.map_err(failed)?;
    socket::set_up(&socket).map_err(|cause| failed(ConnectError::Lost(cause)))?;
    let stream = if url.is_tls() {
        let secured = secure(dialer.tls, url.host(), socket, progress).await;
        secured.map_err(failed)?
    } else {
        leave_in_clear(dialer.clear_text, socket).map_err(failed)?
    };
    if !(dialer.may_ask)() {
        return Err(DialError::Unwanted);
    }
    let _step = progress.enter(Step::Answer("upgrade"));
    timeout(UPGRADE_TIMEOUT, upgrade(address, &url, stream, dialer))
        .await
        .unwrap_or_else(|_| {
            Err(DialError::UpgradeTimeout {
                address: address.into(),
            })
        })
}

async fn upgrade(address: &str, url: &WebSocketUrl, stream: Stream, dialer: Dialer<'_>) -> Result<Upgraded, DialError> {
    let began = Instant::now();
    let failed = |cause: &dyn std::fmt::Display| DialError::Upgrade {
        address: address.into(),
        after: began.elapsed(),
        cause: PeerText::of(cause),
    };

    let key = BASE64.encode(&rand::random::<[u8; 16]>());
    let offer = Offer {
        id: dialer.id,
        credential: dialer.credential,
        proof: (dialer.prove)(key.as_bytes()),
        websocket_key: &key,
        record_limit: dialer.record_limit,
        keeps_open: dialer.keeps_open,
    };
    let mut request = Request::get(url.path())
        .header(header::HOST, url.host_header())
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let headers = offer.headers().map_err(|error| failed(&error))?;
    request.headers_mut().extend(headers);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let mut connection = std::pin::pin!(connection.with_upgrades().fuse());
    // The connection is driven here, so that nothing of it outlives a dropped dial.
    let mut exchange = std::pin::pin!(async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        check(address, &offer, began, response).await
    });
    let (agreed, upgrade) = tokio::select! {
        biased;
        answer = &mut exchange => answer?,
        ended = &mut connection => {
            ended.map_err(|error| failed(&error))?;
            exchange.await?
        }
    };
    let upgraded = tokio::select! {
        biased;
        upgraded = upgrade => upgraded,
        Err(error) = &mut connection => return Err(failed(&error)),
    };
    let parts = upgraded
        .map_err(|error| failed(&error))?
        .downcast::<TokioIo<Stream>>()
        .map_err(|_| failed(&"the connection is of another kind"))?;
    Ok(Upgraded {
        stream: parts.io.into_inner(),
        leftover: BytesMut::from(parts.read_buf),
        agreed,
    })
}

/// Checks the answer; what was agreed on.
async fn check(
    address: &str,
    offer: &Offer<'_>,
    began: Instant,
    response: Response<Incoming>,
) -> Result<(Agreed, hyper::upgrade::OnUpgrade), DialError> {
    let status = response.status();
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let agreed = offer.agreed(response.headers()).map_err(|cause| DialError::Upgrade {
            address: address.into(),
            after: began.elapsed(),
            cause: PeerText::of(&cause),
        })?;
        return Ok((agreed, hyper::upgrade::on(response)));
    }
    let failure = refusal(status, response.headers());
    let body = Limited::new(response.into_body(), MAX_REASON_LEN).collect().await;
    let reason = body
        .map(|body| PeerText::new(&String::from_utf8_lossy(&body.to_bytes())))
        .unwrap_or_default();
    let address = address.into();
    Err(match failure {
        Failure::Denied => DialError::Denied { address, reason },
        failure => DialError::Refused {
            address,
            status,
            reason,
            failure,
        },
    })
}
