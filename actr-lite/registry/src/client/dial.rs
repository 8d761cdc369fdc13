use std::{future::Future, io};

use actr_lite_tls::{ClientTls, Stream};
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

/// TCP, with TLS where the URL says so.
pub(super) struct Network {
    pub(super) tls: ClientTls,
}

impl Dial for Network {
    type Stream = Stream;

    async fn dial(&self, url: &RegistryUrl) -> io::Result<Stream> {
        let stream = TcpStream::connect((url.host(), url.port())).await?;
        // Small messages that wait for nothing.
        stream.set_nodelay(true)?;
        if !url.is_tls() {
            return Ok(stream.into());
        }
        let connected = self.tls.connect(url.host(), stream).await;
        connected.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}
