//! A socket that speaks HTTP with any peer, and answers every one.
//!
//! hyper refuses a request whose head it can't read by a bare status, drops one whose head takes too long, and closes
//! sockets at once, which takes the answer away from a peer that still sends. Here each refusal has a line of text, and
//! time to be read.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actr_lite_tls::{AcceptError, Rejected, ServerTls, Stream};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// How long a connection that is over may take to be closed by its peer too.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// The most bytes that are read and thrown away meanwhile: the largest body that is taken at all.
const MAX_LINGER_BYTES: u64 = 1 << 20;

/// How much of that is read at a time.
const LINGER_BUFFER: usize = 4 << 10;

/// A connection that hyper serves.
pub struct HttpSocket {
    stream: Stream,
}

impl HttpSocket {
    /// For a connection that was accepted; with `tls` its handshake comes first, within `limit`.
    ///
    /// # Errors
    /// Why there is no TLS: the peer is to be [turned away](turn_away).
    pub async fn accept(stream: TcpStream, tls: Option<&ServerTls>, limit: Duration) -> Result<Self, Rejected> {
        let stream = match tls {
            Some(tls) => tls.accept(stream, limit).await?,
            None => stream.into(),
        };
        Ok(Self { stream })
    }

    /// The connection itself, for what comes after HTTP.
    pub fn into_inner(self) -> Stream {
        self.stream
    }

    /// Ends a connection that hyper is done with: says what hyper left unsaid, and lets the peer read it.
    ///
    /// Bounded in time and in what it reads.
    pub async fn end(mut self, unreadable: Option<&Unreadable>) {
        let unsaid = match unreadable {
            Some(error @ Unreadable::TooSlow) => answer("408 Request Timeout", &error.to_string()),
            _ => String::new(),
        };
        let _ = timeout(LINGER_TIMEOUT, self.linger(&unsaid)).await;
    }

    async fn linger(&mut self, unsaid: &str) -> io::Result<()> {
        self.stream.write_all(unsaid.as_bytes()).await?;
        self.stream.shutdown().await?;
        // An array would be part of every connection's task from its start.
        let mut discarded = vec![0; LINGER_BUFFER];
        let mut rest = (&mut self.stream).take(MAX_LINGER_BYTES);
        while rest.read(&mut discarded).await? > 0 {}
        Ok(())
    }
}

/// Ends a connection that has no TLS, and lets the peer read why: one that speaks HTTP without TLS learns it by HTTP.
///
/// Bounded in time and in what it reads.
pub async fn turn_away(rejected: Rejected) {
    let Rejected { reason, stream } = rejected;
    let Some(stream) = stream else { return };
    let unsaid = match reason {
        AcceptError::NotTls => answer(
            "400 Bad Request",
            "this port speaks TLS only: write wss:// instead of ws://",
        ),
        _ => String::new(),
    };
    let mut socket = HttpSocket { stream: stream.into() };
    let _ = timeout(LINGER_TIMEOUT, socket.linger(&unsaid)).await;
}

/// Why a request can't be read.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// Its head did not come in time.
    #[error("the request's head took too long")]
    TooSlow,
    /// It is no HTTP, or has too long a head.
    #[error("not an HTTP request: {0}")]
    NotHttp(String),
    /// The connection ended within it.
    #[error("the connection ended within a request")]
    Cut,
}

impl Unreadable {
    /// What the peer did wrong, if it was the peer: a connection that breaks is not its fault, and one that is silent
    /// between two requests does no wrong. `unread` is what came of a request that hyper did not take.
    pub fn from_end(served: &Result<(), hyper::Error>, unread: &[u8]) -> Option<Self> {
        let error = served.as_ref().err()?;
        if error.is_timeout() {
            (!unread.is_empty()).then_some(Self::TooSlow)
        } else if error.is_parse() {
            Some(Self::NotHttp(error.to_string()))
        } else if error.is_incomplete_message() {
            Some(Self::Cut)
        } else {
            None
        }
    }
}

/// The text for a status that hyper answers by itself; `None` for any other answer.
fn refusal(written: &[u8]) -> Option<String> {
    let status = written
        .strip_prefix(b"HTTP/1.1 ")?
        .split(|byte| *byte == b'\r')
        .next()?;
    // Whatever else is refused here has a text, and so a content type.
    if written
        .windows(13)
        .any(|window| window.eq_ignore_ascii_case(b"content-type:"))
    {
        return None;
    }
    let text = match status.get(..3)? {
        b"400" => "this is not an HTTP/1.1 request",
        b"414" => "the request's URI is too long",
        b"431" => "the request's head is too long, or has more than 100 fields",
        _ => return None,
    };
    Some(answer(str::from_utf8(status).ok()?, text))
}

fn answer(status: &str, text: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\r\n{text}\n",
        text.len() + 1
    )
}

impl AsyncRead for HttpSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for HttpSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match refusal(bytes) {
            // The first few hundred bytes for a peer go out at once; if not, it has lost a text.
            Some(refusal) => Pin::new(&mut self.stream)
                .poll_write(cx, refusal.as_bytes())
                .map_ok(|_| bytes.len()),
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_refusal_gets_a_text() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let refusal_text = refusal(bare).unwrap();
        let (head, body) = refusal_text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"),
            "{head}"
        );
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        for other in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nwhy",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 ",
            b"\x82\x00",
            b"",
        ] {
            assert_eq!(refusal(other), None, "{other:?}");
        }
    }
}
