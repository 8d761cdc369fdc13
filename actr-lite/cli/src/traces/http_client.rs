use std::{
    env, fmt, io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use actr_lite_net::{ClearText, DialProgress, connect, http_exchange::exchange, leave_in_clear, secure};
use actr_lite_tls::{ClientTls, PemFile};
use async_trait::async_trait;
use bytes::Bytes;
use hyper::{
    Request, Response, Uri,
    header::{HOST, HeaderValue},
};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};
use tracing::{info, warn};

use crate::traces::http_error::OtlpError;

/// How long a collector may take to answer, in milliseconds: the one for traces goes before the general one.
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];

/// How long it may take if the environment does not say it: what the standard says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// The file with the CAs of the collector's certificate; without it the system's are trusted.
const CERTIFICATES: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
];

/// The most bytes of an answer: it says that all was taken, or how many spans were not, and why.
const MAX_ANSWER_LEN: usize = 64 << 10;

/// Sends what is exported, from the exporter's own thread, with a runtime of its own: it takes no time from the node.
pub(super) struct OtlpClient {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    tls: ClientTls,
    timeout: Duration,
    /// The log has said that the collector takes nothing.
    is_failing: AtomicBool,
}

impl OtlpClient {
    /// As the environment has it.
    ///
    /// # Errors
    /// When the system gives no runtime, or the file with CAs can't be used.
    pub(super) fn from_environment() -> Result<Self, OtlpError> {
        let certificates = CERTIFICATES
            .into_iter()
            .find_map(|name| Some((name, env::var_os(name)?)));
        let tls = match certificates {
            Some((name, path)) => ClientTls::load(PemFile::new(name, path))?,
            None => ClientTls::default(),
        };
        let given = TIMEOUTS.into_iter().find_map(|name| env::var(name).ok()?.parse().ok());
        Ok(Self {
            runtime: Some(
                Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(OtlpError::Runtime)?,
            ),
            tls,
            timeout: given.map_or(DEFAULT_TIMEOUT, Duration::from_millis),
            is_failing: AtomicBool::new(false),
        })
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, OtlpError> {
        let uri = request.uri().clone();
        let authority = uri.authority().ok_or(OtlpError::NoHost)?;
        let host = authority.host().trim_matches(['[', ']']);
        let is_tls = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let progress = DialProgress::default();
        let socket = connect(host, port, &progress).await?;
        let stream = if is_tls {
            secure(&self.tls, host, socket, &progress).await?
        } else {
            // Whoever names the collector decides whether it is trusted.
            leave_in_clear(ClearText::Anywhere, socket)?
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| OtlpError::NoHost)?;
        let host = match authority.port() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        let host = HeaderValue::from_str(&host).map_err(|_| OtlpError::NoHost)?;
        request.headers_mut().insert(HOST, host);
        Ok(exchange(stream, request, MAX_ANSWER_LEN).await?)
    }

    /// Says in the log when the collector begins to take nothing, and when that is over.
    fn tell(&self, uri: &Uri, sent: &Result<Response<Bytes>, OtlpError>) {
        let reason = match sent {
            Ok(response) if response.status().is_success() => {
                if self.is_failing.swap(false, Relaxed) {
                    info!(url = %uri, "{uri} takes traces again");
                }
                return;
            }
            Ok(response) => response.status().to_string(),
            Err(error) => error.to_string(),
        };
        if !self.is_failing.swap(true, Relaxed) {
            warn!(url = %uri, %reason, "{uri} takes no traces: {reason}; trying again");
        }
    }
}

#[async_trait]
impl HttpClient for OtlpClient {
    // Only the exporter's own thread calls it, which has nothing else to do.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let runtime = self
            .runtime
            .as_ref()
            .ok_or(OtlpError::Runtime(io::ErrorKind::BrokenPipe.into()))?;
        let uri = request.uri().clone();
        let exchange = async { timeout(self.timeout, self.exchange(request)).await };
        let sent = runtime.block_on(exchange);
        let sent = sent.unwrap_or(Err(OtlpError::TimedOut(self.timeout)));
        self.tell(&uri, &sent);
        Ok(sent?)
    }
}

impl Drop for OtlpClient {
    /// A name that is still being resolved keeps nobody waiting.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for OtlpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpClient")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
