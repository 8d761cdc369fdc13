use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{ClientConfig, RootCertStore, client::Resumption};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{
    file_error::TlsFileError, handshake_error::HandshakeError, pem_content, pem_file::PemFile, provider,
    stream::Stream, words,
};

/// The CAs that diallers trust: those of a file, or the system's own. Cheap to clone; clones share what a reload
/// changes.
///
/// The default is the system's own. They are looked for when the first connection needs them.
#[derive(Clone, Default)]
pub struct ClientTls {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    ca: Option<PemFile>,
    config: RwLock<Option<Arc<ClientConfig>>>,
}

impl ClientTls {
    /// Trusts only the CAs in this file.
    ///
    /// # Errors
    /// When it can't be read or used.
    pub fn load(ca: PemFile) -> Result<Self, TlsFileError> {
        let config = RwLock::new(Some(read(&ca)?));
        let inner = Arc::new(Inner { ca: Some(ca), config });
        Ok(Self { inner })
    }

    /// The handshake of a connection that was made to `host`, a name or an IP address without brackets. It has no time
    /// limit of its own.
    ///
    /// # Errors
    /// When the server does not speak TLS, or does not prove that it is `host`.
    ///
    /// # Cancel safety
    /// Dropping it closes the connection.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> Result<Stream, HandshakeError> {
        let not_a_name = |_| HandshakeError::NotAName(host.into());
        let name = ServerName::try_from(host.to_owned()).map_err(not_a_name)?;
        let connector = TlsConnector::from(self.config()?);
        let connected = connector.connect(name, stream).await;
        let stream = connected.map_err(|error| HandshakeError::from_io(error, host, || self.to_string()))?;
        Ok(Stream::Client(Box::new(stream)))
    }

    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, TlsFileError> {
        // A config is replaced as a whole: a panic can't leave half of one.
        if let Some(config) = &*self.inner.config.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(config));
        }
        let config = read_system()?;
        self.replace(Some(Arc::clone(&config)));
        Ok(config)
    }

    /// Reads the file again; `None` if the CAs are the system's.
    pub(crate) fn read(&self) -> Result<Option<Arc<ClientConfig>>, TlsFileError> {
        self.inner.ca.as_ref().map(read).transpose()
    }

    pub(crate) fn replace(&self, config: Option<Arc<ClientConfig>>) {
        *self.inner.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.inner.ca.iter().map(|ca| ca.path().into()).collect()
    }
}

/// Where trust comes from.
impl fmt::Display for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.ca {
            Some(ca) => ca.fmt(f),
            None => f.write_str("this system, as there is no system.tls.ca"),
        }
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientTls({self})")
    }
}

fn read(ca: &PemFile) -> Result<Arc<ClientConfig>, TlsFileError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem_content::certificates(ca)? {
        roots.add(certificate).map_err(|error| TlsFileError::Unusable {
            file: ca.clone(),
            problem: format!("a certificate in it cannot be used ({})", words::of_error(&error)),
        })?;
    }
    config(roots)
}

fn read_system() -> Result<Arc<ClientConfig>, TlsFileError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system may have certificates that can't be read; the others are still valid.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let cause = found.errors.first().map(|error| format!(" ({error})"));
        return Err(TlsFileError::NoSystemRoots(cause.unwrap_or_default()));
    }
    config(roots)
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, TlsFileError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| TlsFileError::Setup(words::of_error(&error)))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    // A session that is resumed shows no certificate: each connection is to check the one that the server has now.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
