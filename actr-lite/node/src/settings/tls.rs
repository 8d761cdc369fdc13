use actr_lite_manifest as manifest;
use actr_lite_tls::{ClientTls, PemFile, ServerTls, Tls, TlsFileError};

/// Reads the files that Actr.toml names.
pub(crate) fn load(files: &manifest::Tls) -> Result<Tls, TlsFileError> {
    let server = files.identity.as_ref().map(|identity| {
        let cert = PemFile::new("system.tls.cert", &identity.cert);
        ServerTls::load(cert, PemFile::new("system.tls.key", &identity.key))
    });
    Ok(Tls {
        server: server.transpose()?,
        client: load_client(files)?,
    })
}

/// The same for a node that only dials.
pub(crate) fn load_client(files: &manifest::Tls) -> Result<ClientTls, TlsFileError> {
    match &files.ca {
        Some(ca) => ClientTls::load(PemFile::new("system.tls.ca", ca)),
        None => Ok(ClientTls::default()),
    }
}
