use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{Error, InconsistentKeys, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    accept_error::AcceptError, file_error::TlsFileError, pem_content, pem_file::PemFile, provider, stream::Stream,
    words,
};

/// The first byte of a connection with TLS: a record of the handshake (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

/// What a private key has to be.
const UNUSABLE_KEY: &str =
    "its private key cannot be used: it has to be RSA with 2048 bits or more, ECDSA on P-256 or P-384, or Ed25519";

/// A certificate and its key, for those who accept connections. Cheap to clone; clones share what a reload changes.
#[derive(Clone)]
pub struct ServerTls {
    inner: Arc<Inner>,
}

struct Inner {
    cert: PemFile,
    key: PemFile,
    loaded: RwLock<Arc<Loaded>>,
}

/// What was read from both files.
pub(crate) struct Loaded {
    config: Arc<ServerConfig>,
    /// The certificate that names this side, without those that lead to its CA.
    pub(crate) leaf: CertificateDer<'static>,
}

/// A connection that is refused: why, and the socket if the peer may still be told.
#[derive(Debug)]
pub struct Rejected {
    /// Why.
    pub reason: AcceptError,
    /// The socket, if it is still useful: for [`AcceptError::NotTls`], to answer without TLS; otherwise to be closed so
    /// that the peer can read why.
    pub stream: Option<TcpStream>,
}

impl Rejected {
    fn without_stream(reason: AcceptError) -> Self {
        Self { reason, stream: None }
    }
}

impl ServerTls {
    /// Reads the certificate, with those that lead to its CA behind it if there are any, and its key.
    ///
    /// # Errors
    /// When a file can't be read or used, or the two don't belong together.
    pub fn load(cert: PemFile, key: PemFile) -> Result<Self, TlsFileError> {
        let loaded = RwLock::new(read(&cert, &key)?);
        let inner = Arc::new(Inner { cert, key, loaded });
        Ok(Self { inner })
    }

    /// Whether there is a private key in a file, whatever certificate it is for.
    ///
    /// # Errors
    /// When there is none, or the file can't be read.
    pub fn check_key(key: &PemFile) -> Result<(), TlsFileError> {
        pem_content::private_key(key).map(drop)
    }

    /// Reloads both files: new handshakes use them, and open connections go on. It blocks while it reads.
    ///
    /// # Errors
    /// As [`Self::load`]; then nothing changes.
    pub fn reload(&self) -> Result<(), TlsFileError> {
        self.replace(self.read()?);
        Ok(())
    }

    /// The handshake of a connection that was accepted, within `limit`.
    ///
    /// # Errors
    /// [`Rejected`] says why there is none.
    ///
    /// # Cancel safety
    /// Dropping it closes the connection.
    pub async fn accept(&self, stream: TcpStream, limit: Duration) -> Result<Stream, Rejected> {
        let deadline = Instant::now() + limit;
        let mut first = [0];
        match timeout_at(deadline, stream.peek(&mut first)).await {
            Ok(Ok(1..)) if first == [HANDSHAKE_RECORD] => {}
            Ok(Ok(1..)) => {
                return Err(Rejected {
                    reason: AcceptError::NotTls,
                    stream: Some(stream),
                });
            }
            // A peer that says nothing at all may have changed its mind.
            _ => return Err(Rejected::without_stream(AcceptError::Silent)),
        }
        let acceptor = TlsAcceptor::from(self.config());
        match timeout_at(deadline, acceptor.accept(stream).into_fallible()).await {
            Ok(Ok(stream)) => Ok(Stream::Server(Box::new(stream))),
            Ok(Err((error, stream))) => Err(Rejected {
                reason: AcceptError::from_io(&error),
                stream: Some(stream),
            }),
            Err(_) => Err(Rejected::without_stream(AcceptError::TooSlow)),
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.loaded().config)
    }

    pub(crate) fn loaded(&self) -> Arc<Loaded> {
        // It is replaced as a whole: a panic can't leave half of one.
        let loaded = self.inner.loaded.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&loaded)
    }

    pub(crate) fn read(&self) -> Result<Arc<Loaded>, TlsFileError> {
        read(&self.inner.cert, &self.inner.key)
    }

    pub(crate) fn replace(&self, loaded: Arc<Loaded>) {
        *self.inner.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
    }

    pub(crate) fn cert(&self) -> &PemFile {
        &self.inner.cert
    }

    pub(crate) fn files(&self) -> [PathBuf; 2] {
        [&self.inner.cert, &self.inner.key].map(|file| file.path().into())
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerTls({}, {})", self.inner.cert, self.inner.key)
    }
}

fn read(cert: &PemFile, key: &PemFile) -> Result<Arc<Loaded>, TlsFileError> {
    let certificates = pem_content::certificates(cert)?;
    let leaf = certificates.first().cloned();
    let private_key = pem_content::private_key(key)?;
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsFileError::Setup(words::of_error(&error)))?;
    let config = builder
        .with_no_client_auth()
        .with_single_cert(certificates, private_key);
    let mut config = config.map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsFileError::KeyMismatch {
            cert: cert.clone(),
            key: key.clone(),
        },
        Error::InvalidCertificate(error) => TlsFileError::Unusable {
            file: cert.clone(),
            problem: format!(
                "its first certificate cannot be used ({})",
                words::of_certificate(&error)
            ),
        },
        error => TlsFileError::Unusable {
            file: key.clone(),
            problem: match error {
                // It only says that it has tried them all.
                Error::General(_) => UNUSABLE_KEY.into(),
                error => format!("its private key cannot be used ({})", words::of_error(&error)),
            },
        },
    })?;
    // Connections last, and each is to check the certificate again: tickets to resume by would only cost memory.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    let leaf = leaf.ok_or_else(|| TlsFileError::Unusable {
        file: cert.clone(),
        problem: "there is no certificate in it".into(),
    })?;
    Ok(Arc::new(Loaded {
        config: Arc::new(config),
        leaf,
    }))
}
