use std::{future::Future, io};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::RegistryUrl;

/// Opens connections to a registry. The seam behind which tests put a registry of their own.
pub(super) trait Dial: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn dial(&self, url: &RegistryUrl) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// TCP.
pub(super) struct Tcp;

impl Dial for Tcp {
    type Stream = TcpStream;

    async fn dial(&self, url: &RegistryUrl) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((url.host(), url.port())).await?;
        // Small messages that wait for nothing.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
