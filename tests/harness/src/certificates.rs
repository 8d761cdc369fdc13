//! What programs need for TLS.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use actr_lite_dev_certs::{DevCa, DevCert, DevCertFiles, LOCAL_HOSTS};
use programs::Launch;

/// The files of a server, in a directory: its certificate, its key, and the CA's certificate.
#[derive(Debug, Clone)]
pub struct Certificates {
    directory: PathBuf,
}

impl Certificates {
    /// Of a new CA, for this machine; those that are there are replaced.
    ///
    /// # Panics
    /// If they can't be made or written.
    pub fn new(directory: &Path) -> Self {
        Self::for_hosts(directory, &LOCAL_HOSTS)
    }

    /// Of a new CA, for these hosts.
    ///
    /// # Panics
    /// If they can't be made or written.
    pub fn for_hosts(directory: &Path, hosts: &[&str]) -> Self {
        let made = DevCa::new().and_then(|ca| Ok((ca.issue(hosts)?, ca)));
        let (cert, ca) = made.unwrap_or_else(|error| panic!("{error}"));
        Self::write(directory, &ca, &cert).unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Of a new CA, for this machine, valid until then.
    ///
    /// # Panics
    /// If they can't be made or written.
    pub fn until(directory: &Path, end: SystemTime) -> Self {
        let made = DevCa::new().and_then(|ca| Ok((ca.issue_until(LOCAL_HOSTS, end)?, ca)));
        let (cert, ca) = made.unwrap_or_else(|error| panic!("{error}"));
        Self::write(directory, &ca, &cert).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn write(directory: &Path, ca: &DevCa, cert: &DevCert) -> anyhow::Result<Self> {
        actr_lite_dev_certs::write(directory, ca, cert, true)?;
        Ok(Self {
            directory: directory.into(),
        })
    }

    /// Where they are.
    pub fn files(&self) -> DevCertFiles {
        DevCertFiles {
            ca: self.directory.join(actr_lite_dev_certs::CA_FILE),
            cert: self.directory.join(actr_lite_dev_certs::CERT_FILE),
            key: self.directory.join(actr_lite_dev_certs::KEY_FILE),
        }
    }

    /// A node that has them, and trusts their CA.
    #[must_use]
    pub fn served_by(&self, launch: Launch) -> Launch {
        let files = self.files();
        self.trusted_by(launch)
            .config("system.tls.cert", files.cert.display())
            .config("system.tls.key", files.key.display())
    }

    /// A node that trusts their CA.
    #[must_use]
    pub fn trusted_by(&self, launch: Launch) -> Launch {
        launch.config("system.tls.ca", self.files().ca.display())
    }
}
