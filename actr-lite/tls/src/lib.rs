//! TLS as actr-lite uses it: rustls with *ring*, TLS 1.2 and 1.3, servers that prove who they are, and clients that
//! prove it by other means.
//!
//! In reading order:
//!
//! - [`Tls`]: what a node has: a certificate if it serves, and the CAs that it trusts; read from files, and reloaded
//! - [`ServerTls`], [`AcceptError`]: the side that accepts
//! - [`ClientTls`], [`HandshakeError`]: the side that dials
//! - [`PemFile`], [`TlsFileError`]: the files, and what may be wrong with them
//! - [`Stream`]: a connection with TLS or without

mod accept_error;
mod client;
mod file_error;
mod handshake_error;
mod own_certificate;
mod pem_content;
mod pem_file;
mod server;
mod stream;
mod words;

use std::{path::PathBuf, sync::Arc};

use rustls::crypto::{CryptoProvider, ring};

pub use accept_error::AcceptError;
pub use client::ClientTls;
pub use file_error::TlsFileError;
pub use handshake_error::HandshakeError;
pub use pem_content::MAX_PEM_LEN;
pub use pem_file::PemFile;
pub use rustls::Connection;
pub use server::{Rejected, ServerTls};
pub use stream::Stream;

/// What a node has for TLS. Cheap to clone; clones share what they have, also after [`Self::reload`].
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Its own certificate, if it has one.
    pub server: Option<ServerTls>,
    /// The CAs that it trusts.
    pub client: ClientTls,
}

impl Tls {
    /// Reloads all files: new handshakes use them, and open connections go on. Returns the files; they are empty if
    /// everything comes from the system. It blocks while it reads.
    ///
    /// # Errors
    /// If a file can't be read or used. Then nothing changes.
    pub fn reload(&self) -> Result<Vec<PathBuf>, TlsFileError> {
        let server = self.server.as_ref().map(ServerTls::read).transpose()?;
        let client = self.client.read()?;
        let mut files = self.client.files();
        if let (Some(tls), Some(config)) = (&self.server, server) {
            files.splice(0..0, tls.files());
            tls.replace(config);
        }
        self.client.replace(client);
        Ok(files)
    }
}

/// The cryptography provider. It is passed explicitly, so that no process-wide default has to be installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
