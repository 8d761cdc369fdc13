use actr_lite_wire::{
    possession::{PROOF_HEADER, Proof},
    websocket::accept_key,
};
use bytes::{Bytes, BytesMut};
use data_encoding::BASE64;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
    http::response::Parts,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

/// The most bytes of a refusal's text that are read.
const MAX_REASON_LEN: usize = 4 * 1024;

/// Why a connection did not become a WebSocket.
#[derive(Debug, Error)]
pub(crate) enum UpgradeError {
    #[error("the request can't be written: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("refused ({})", .0.status)]
    Refused(Box<Parts>, Bytes),
    #[error("the answer's Sec-WebSocket-Accept is wrong: check what is in between, such as a proxy")]
    WrongAccept,
    #[error("the connection is of another kind")]
    OtherStream,
}

/// Asks for a WebSocket at `target`, a path with its query; `prove` proves who asks, by the request's
/// `Sec-WebSocket-Key`. The stream comes back with what was read behind the answer.
///
/// # Errors
/// When the server does not make one of it.
///
/// # Cancel safety
/// Dropping the future closes the stream.
pub(crate) async fn upgrade<S>(
    stream: S,
    authority: &str,
    target: &str,
    prove: impl FnOnce(&str) -> Option<Proof>,
) -> Result<(S, BytesMut), UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let key = BASE64.encode(&rand::random::<[u8; 16]>());
    let mut request = Request::get(target)
        .header(HOST, authority)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    if let Some(proof) = prove(&key) {
        request = request.header(PROOF_HEADER, proof.to_header());
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = std::pin::pin!(connection.with_upgrades().fuse());
    // The connection is driven here, so that nothing of it outlives a dropped future.
    let mut exchange = std::pin::pin!(async { accepted(&key, sender.send_request(request).await?).await });
    let upgrade = tokio::select! {
        biased;
        answer = &mut exchange => answer?,
        ended = &mut connection => {
            ended?;
            exchange.await?
        }
    };
    let upgraded = tokio::select! {
        biased;
        upgraded = upgrade => upgraded?,
        Err(error) = &mut connection => return Err(error.into()),
    };
    let parts = upgraded
        .downcast::<TokioIo<S>>()
        .map_err(|_| UpgradeError::OtherStream)?;
    Ok((parts.io.into_inner(), BytesMut::from(parts.read_buf)))
}

/// Checks the answer (RFC 6455 §4.1).
async fn accepted(key: &str, response: Response<Incoming>) -> Result<OnUpgrade, UpgradeError> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (head, body) = response.into_parts();
        let reason = Limited::new(body, MAX_REASON_LEN).collect().await;
        let reason = reason.map(|reason| reason.to_bytes()).unwrap_or_default();
        return Err(UpgradeError::Refused(Box::new(head), reason));
    }
    let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept.as_bytes() != accept_key(key.as_bytes()).as_bytes()) {
        return Err(UpgradeError::WrongAccept);
    }
    Ok(hyper::upgrade::on(response))
}
