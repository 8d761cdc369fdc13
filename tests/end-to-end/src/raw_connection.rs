use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};

use crate::raw_peer::connect;

/// How to reach a data lane.
#[derive(Clone)]
pub(crate) enum Transport {
    Clear,
    Tls(Arc<ClientConfig>),
}

impl Transport {
    /// TLS, with a server whose certificate this CA has issued.
    pub(crate) fn tls(ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        Self::Tls(Arc::new(config.with_no_client_auth()))
    }

    /// A connection, of which the TLS handshake is still to come.
    pub(crate) fn connect(&self, address: SocketAddr) -> RawConnection {
        let tcp = connect(address);
        match self {
            Self::Clear => RawConnection::Clear(tcp),
            Self::Tls(config) => {
                let name = ServerName::from(address.ip());
                let tls = ClientConnection::new(Arc::clone(config), name).unwrap();
                RawConnection::Tls(Box::new(StreamOwned::new(tls, tcp)))
            }
        }
    }
}

/// A connection without a runtime behind it.
pub(crate) enum RawConnection {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl RawConnection {
    /// What is below TLS, if there is TLS.
    pub(crate) fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Clear(tcp) => tcp,
            Self::Tls(tls) => tls.get_mut(),
        }
    }
}

impl Read for RawConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for RawConnection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
