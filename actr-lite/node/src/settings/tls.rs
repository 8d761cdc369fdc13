use actr_lite_manifest::{self as manifest, Problems};
use actr_lite_tls::{ClientTls, PemFile, ServerTls, Tls, TlsFileError};

/// Reads the files that Actr.toml names.
pub(crate) fn load(files: &manifest::Tls) -> Result<Tls, Problems<TlsFileError>> {
    let server = files.identity.as_ref().map(load_server).transpose();
    let (server, client) = Problems::both(server, load_client(files).map_err(Problems::from))?;
    Ok(Tls { server, client })
}

fn load_server(identity: &manifest::TlsIdentity) -> Result<ServerTls, Problems<TlsFileError>> {
    let cert = PemFile::new("system.tls.cert", &identity.cert);
    let key = PemFile::new("system.tls.key", &identity.key);
    ServerTls::load(cert, key.clone()).map_err(|error| {
        let said = error.to_string();
        let mut problems = Problems::from(error);
        // What is wrong with the certificate may have been found first.
        if let Err(other) = ServerTls::check_key(&key)
            && other.to_string() != said
        {
            problems.push(other);
        }
        problems
    })
}

/// The same for a node that only dials.
pub(crate) fn load_client(files: &manifest::Tls) -> Result<ClientTls, TlsFileError> {
    match &files.ca {
        Some(ca) => ClientTls::load(PemFile::new("system.tls.ca", ca)),
        None => Ok(ClientTls::default()),
    }
}
