use std::future::Future;

use actr_lite_net::{ClearText, DialError, DialProgress, connect, leave_in_clear, secure};
use actr_lite_tls::{ClientTls, Stream};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::registry_url::RegistryUrl;

/// Opens connections to a registry. The seam behind which tests put a registry of their own.
pub(crate) trait Dial: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn dial(
        &self,
        url: &RegistryUrl,
        progress: &DialProgress,
    ) -> impl Future<Output = Result<Self::Stream, DialError>> + Send;
}

/// TCP, with TLS where the URL says so.
pub(crate) struct Network {
    pub(crate) tls: ClientTls,
    pub(crate) clear_text: ClearText,
}

impl Dial for Network {
    type Stream = Stream;

    async fn dial(&self, url: &RegistryUrl, progress: &DialProgress) -> Result<Stream, DialError> {
        let stream = connect(url.host(), url.port(), progress).await?;
        // Small messages that wait for nothing.
        stream.set_nodelay(true).map_err(DialError::Lost)?;
        if url.is_tls() {
            secure(&self.tls, url.host(), stream, progress).await
        } else {
            leave_in_clear(self.clear_text, stream)
        }
    }
}
