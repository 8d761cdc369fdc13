use std::time::Duration;

use actr_lite_engine::peers::dial::{Failure, UPGRADE_TIMEOUT};
use actr_lite_manifest::{ParseWebSocketUrlError, WebSocketUrl};
use actr_lite_net::{ClearText, DialError as ConnectError, DialProgress, Step, connect, leave_in_clear, secure};
use actr_lite_tls::{ClientTls, Stream};
use actr_lite_wire::{
    credential::{self, Credential},
    identity::ActrId,
    peer_text::PeerText,
    possession::{PROOF_HEADER, Proof},
    record::EXTENSION,
    record_limit::RecordLimit,
    websocket::accept_key,
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
    peers::{
        peer_limit::{RECORD_LIMIT_HEADER, peer_limit},
        upgrade_headers::{CREDENTIAL_HEADER, KEEP_OPEN_HEADER, SOURCE_HEADER},
    },
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
        /// The peer takes connections again after this time.
        retry_after: Option<Duration>,
    },
}

impl DialError {
    /// What it means for the next try.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Denied { .. } => Failure::Denied,
            Self::Refused {
                retry_after: Some(after),
                ..
            } => Failure::TooOften(*after),
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
    let mut request = Request::get(url.path())
        .header(header::HOST, url.host_header())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key)
        .header(header::SEC_WEBSOCKET_PROTOCOL, EXTENSION)
        .header(RECORD_LIMIT_HEADER, dialer.record_limit.to_string())
        .header(SOURCE_HEADER, credential::source_id_to_header(dialer.id))
        .header(CREDENTIAL_HEADER, dialer.credential.to_header());
    if let Some(proof) = (dialer.prove)(key.as_bytes()) {
        request = request.header(PROOF_HEADER, proof.to_header());
    }
    if dialer.keeps_open {
        request = request.header(KEEP_OPEN_HEADER, "true");
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    let mut connection = std::pin::pin!(connection.with_upgrades().fuse());
    // The connection is driven here, so that nothing of it outlives a dropped dial.
    let mut exchange = std::pin::pin!(async {
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        check(address, &key, began, response).await
    });
    let (extended, peer_limit, upgrade) = tokio::select! {
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
        extended,
        peer_limit,
    })
}

/// After how long the peer says that it takes connections again (RFC 6585 §4).
fn retry_after(response: &Response<Incoming>) -> Option<Duration> {
    let is_too_often = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let seconds = response.headers().get(header::RETRY_AFTER).filter(|_| is_too_often)?;
    Some(Duration::from_secs(seconds.to_str().ok()?.parse().ok()?))
}

/// Checks the answer (RFC 6455 §4.2.2); whether it accepts the extension, and the peer's record limit.
async fn check(
    address: &str,
    key: &str,
    began: Instant,
    response: Response<Incoming>,
) -> Result<(bool, RecordLimit, hyper::upgrade::OnUpgrade), DialError> {
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let retry_after = retry_after(&response);
        let body = Limited::new(response.into_body(), MAX_REASON_LEN).collect().await;
        let reason = body
            .map(|body| PeerText::new(&String::from_utf8_lossy(&body.to_bytes())))
            .unwrap_or_default();
        let address = address.into();
        return Err(match status {
            StatusCode::FORBIDDEN => DialError::Denied { address, reason },
            status => DialError::Refused {
                address,
                status,
                reason,
                retry_after,
            },
        });
    }
    let headers = response.headers();
    let accepts = headers
        .get(header::SEC_WEBSOCKET_ACCEPT)
        .is_some_and(|accept| accept.as_bytes() == accept_key(key.as_bytes()).as_bytes());
    if !accepts {
        let cause = "the answer's Sec-WebSocket-Accept is wrong".into();
        return Err(DialError::Upgrade {
            address: address.into(),
            after: began.elapsed(),
            cause,
        });
    }
    let extended = headers
        .get(header::SEC_WEBSOCKET_PROTOCOL)
        .is_some_and(|protocol| protocol == EXTENSION);
    let peer_limit = peer_limit(headers, extended).map_err(|cause| DialError::Upgrade {
        address: address.into(),
        after: began.elapsed(),
        cause: cause.into(),
    })?;
    Ok((extended, peer_limit, hyper::upgrade::on(response)))
}
