use std::{io, time::SystemTime};

use rustls::{
    ClientConnection, ConnectionCommon, RootCertStore, ServerConnection, SideData,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    server::ParsedCertificate,
};
use rustls_pki_types::{ServerName, UnixTime};

use crate::{
    Tls,
    file_error::TlsFileError,
    handshake_error::{self, HandshakeError},
    pem_content, provider,
    server::ServerTls,
    words,
};

/// The most flights of a handshake, each way: TLS 1.2 takes two, 1.3 two, and one more with a retry.
const MAX_FLIGHTS: usize = 8;

impl Tls {
    /// Whether this side would connect to itself at `host`, a name or an IP address without brackets: a handshake between
    /// both sides in memory. Without a certificate there is nothing to check.
    ///
    /// # Errors
    /// What a dial would come to.
    pub fn check_self(&self, host: &str) -> Result<(), HandshakeError> {
        let Some(server) = &self.server else { return Ok(()) };
        let failed = |error| {
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            HandshakeError::from_io(error, host, || self.client.to_string())
        };
        let mut client = ClientConnection::new(self.client.config()?, server_name(host)?).map_err(failed)?;
        let mut server = ServerConnection::new(server.config()).map_err(failed)?;
        for _ in 0..MAX_FLIGHTS {
            pass_on(&mut client, &mut server).map_err(failed)?;
            pass_on(&mut server, &mut client).map_err(failed)?;
            if !client.is_handshaking() {
                return Ok(());
            }
        }
        Err(HandshakeError::Failed("it did not end".into()))
    }
}

impl ServerTls {
    /// Whether the certificate is for `host`, a name or an IP address without brackets; who has signed it is not looked
    /// at. It reads the file, and blocks while it does.
    ///
    /// # Errors
    /// [`HandshakeError::WrongName`] when it is not; what is wrong with the file or the name.
    pub fn check_name(&self, host: &str) -> Result<(), HandshakeError> {
        let certificates = pem_content::certificates(self.cert())?;
        let unusable = |error: rustls::Error| TlsFileError::Unusable {
            file: self.cert().clone(),
            problem: words::of_error(&error),
        };
        let Some(first) = certificates.first() else {
            return Ok(());
        };
        let certificate = ParsedCertificate::try_from(first).map_err(unusable)?;
        verify_server_name(&certificate, &server_name(host)?)
            .map_err(|error| handshake_error::of_tls(&error, host, String::new))
    }

    /// Whether the certificate is valid at `now`, whoever has signed it and for whatever name. Without I/O.
    ///
    /// # Errors
    /// [`HandshakeError::Expired`] or [`HandshakeError::NotYetValid`] when it is not.
    pub fn check_validity(&self, now: SystemTime) -> Result<(), HandshakeError> {
        let loaded = self.loaded();
        let Ok(certificate) = ParsedCertificate::try_from(&loaded.leaf) else {
            return Ok(());
        };
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Its time is looked at before who has signed it, which nobody has who is trusted here.
        let verified = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &RootCertStore::empty(),
            &[],
            UnixTime::since_unix_epoch(now),
            provider().signature_verification_algorithms.all,
        );
        match verified.map_err(|error| handshake_error::of_tls(&error, "", String::new)) {
            Err(error @ (HandshakeError::Expired(_) | HandshakeError::NotYetValid(_))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the certificate that is in use is for `host`, a name or an IP address without brackets. Without I/O.
    pub fn is_for(&self, host: &str) -> bool {
        let loaded = self.loaded();
        let (Ok(certificate), Ok(name)) = (ParsedCertificate::try_from(&loaded.leaf), server_name(host)) else {
            return false;
        };
        verify_server_name(&certificate, &name).is_ok()
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, HandshakeError> {
    ServerName::try_from(host.to_owned()).map_err(|_| HandshakeError::NotAName(host.into()))
}

/// Gives one side what the other one has to say.
fn pass_on<A: SideData, B: SideData>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
) -> Result<(), rustls::Error> {
    let mut flight = Vec::new();
    let broken = |error: io::Error| rustls::Error::General(error.to_string());
    while from.wants_write() {
        from.write_tls(&mut flight).map_err(broken)?;
    }
    let mut unread = &flight[..];
    while !unread.is_empty() {
        to.read_tls(&mut unread).map_err(broken)?;
        to.process_new_packets()?;
    }
    Ok(())
}
