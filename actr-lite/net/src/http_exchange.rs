//! One HTTP request over a connection of its own.

use std::{convert::Infallible, error::Error, future::pending, pin::pin};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response,
    client::conn::http1,
    header::{CONNECTION, HeaderValue},
};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a request has no answer.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// The connection broke, or what comes is not HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The answer breaks off, or is longer than it may be.
    #[error(transparent)]
    Body(Box<dyn Error + Send + Sync>),
}

/// Sends a request over this stream, and reads the answer, whose body may have `max_body_len` bytes. The stream is closed then.
/// The request has all headers but `Connection`, and its target is a path with its query.
///
/// # Errors
/// If there is no whole answer.
///
/// # Cancel safety
/// Dropping the future closes the stream.
pub async fn exchange<S>(
    stream: S,
    mut request: Request<Bytes>,
    max_body_len: usize,
) -> Result<Response<Bytes>, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    request
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, max_body_len).collect().await;
        let body = body.map_err(ExchangeError::Body)?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    // The connection only carries the answer, and may be through with it first.
    let connection = async {
        let _ = connection.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        answer = pin!(answer) => answer,
        never = pin!(connection) => match never {},
    }
}
