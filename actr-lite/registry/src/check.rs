//! What is wrong with a registry's settings, before it listens or writes anything.

use std::net::SocketAddr;

use actr_lite_admin::server::exposure;
use actr_lite_net::exposure::{Exposure, ExposureError, Remedies};

use crate::{
    audit::AuditLog,
    key_file::KeyFile,
    options::Options,
    realms::Realms,
    registry::{RegistryError, listen_error, split_address},
};

impl Options {
    /// What is wrong with the directory of the signing keys and the audit log. It reads them, and creates and changes
    /// nothing; another registry may use them.
    pub fn check_files(&self) -> Vec<RegistryError> {
        let keys = self.data_dir.as_deref().map_or(Ok(()), KeyFile::check);
        let audit = self.audit_log.as_deref().map_or(Ok(()), AuditLog::check);
        let keys = keys.map_err(RegistryError::from).err();
        keys.into_iter()
            .chain(audit.map_err(RegistryError::from).err())
            .collect()
    }

    /// Whether other machines may reach a registry at `address` as it is: see [`Exposure::check`].
    ///
    /// # Errors
    /// When they may not.
    pub fn check_exposure(&self, address: SocketAddr, has_tls: bool, remedies: Remedies) -> Result<(), ExposureError> {
        let exposure = Exposure {
            what: "the registry",
            address,
            has_tls,
            secret: "a realm secret",
            has_secret: self.realms != Realms::Open,
            remedies,
        };
        exposure.check(self.insecure)
    }

    /// The same of the status that it tells on its port.
    ///
    /// # Errors
    /// When other machines could ask for it without TLS or a token.
    pub fn check_admin_exposure(
        &self,
        address: SocketAddr,
        has_tls: bool,
        remedies: Remedies,
    ) -> Result<(), ExposureError> {
        let has_token = self.admin_token.is_some();
        exposure("the registry's status", address, has_tls, has_token, remedies).check(self.insecure)
    }
}

/// Whether an address has the form `<host>:<port>`: the address itself, if its host is no name.
///
/// # Errors
/// When it has another form.
pub fn check_address(address: &str) -> Result<Option<SocketAddr>, RegistryError> {
    let (host, port) = split_address(address);
    let invalid = |reason: &str| listen_error(address, std::io::Error::other(reason));
    let port = port
        .parse()
        .map_err(|_| invalid("its port is not a number from 0 to 65535"))?;
    if host.is_empty() {
        return Err(invalid("it has no host"));
    }
    Ok(host.parse().ok().map(|ip| SocketAddr::new(ip, port)))
}
