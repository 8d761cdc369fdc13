use std::{net::SocketAddr, path::PathBuf};

use actr_lite_wire::host_policy::HostName;
use serde::Deserialize;

use crate::{
    addresses::{hosts, some_socket_address},
    document::Document,
    error::ManifestError,
};

/// `[system.admin]`: where this process tells how it is, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// `listen`: where it answers, with TLS if `[system.tls]` has a certificate. Port 0 is any free one. A process that hosts
    /// a registry answers on the registry's port too; one that does not, and has no `listen`, does not answer.
    #[serde(deserialize_with = "some_socket_address")]
    pub listen: Option<SocketAddr>,
    /// `hosts`: by which hosts it may be addressed beside its own addresses and `localhost`.
    #[serde(deserialize_with = "hosts")]
    pub hosts: Vec<HostName>,
    /// `token_file`: the file with the token that requests have to show for more than whether it is well. Present if other
    /// machines reach it.
    pub token_file: Option<PathBuf>,
}

impl Admin {
    /// Checks that there is something that it is for.
    pub(crate) fn check(&self, hosts_registry: bool, document: &Document<'_>) -> Result<(), ManifestError> {
        if self.listen.is_some() || hosts_registry {
            return Ok(());
        }
        let unused = [
            ("hosts", !self.hosts.is_empty()),
            ("token_file", self.token_file.is_some()),
        ];
        match unused.into_iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err(document.invalid(
                &["system", "admin", key],
                "nobody can ask this process for its status: add listen = \"127.0.0.1:9464\", or leave this out",
            )),
            None => Ok(()),
        }
    }
}
