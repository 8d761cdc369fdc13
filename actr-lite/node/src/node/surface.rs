//! Where a node tells how it is: on a port of its own, and on that of the registry that it hosts.

use std::sync::Arc;

use actr_lite_admin::{
    admin::Admin,
    server::{AdminServer, AdminServerError, exposure},
    token::{LoadTokenError, Token},
};
use actr_lite_manifest::System;
use actr_lite_net::exposure::Remedies;
use actr_lite_tls::Tls;
use actr_lite_wire::host_policy::HostPolicy;
use thiserror::Error;
use tracing::info;

use crate::{node::remedies::REMEDIES, tasks::Tasks};

/// What to do if other machines could ask how it is.
pub(crate) const ADMIN_REMEDIES: Remedies = Remedies {
    tls: REMEDIES.tls,
    secret: "add token_file to [system.admin] (openssl rand -hex 32 makes a token)",
    insecure: REMEDIES.insecure,
};

/// How to have it addressed by another name.
const NAME_IT: &str = "add it to hosts in [system.admin]";

/// Why a node does not tell how it is, as its Actr.toml has it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SurfaceError {
    /// The token can't be loaded.
    #[error(transparent)]
    Token(#[from] LoadTokenError),
    /// It can't listen, or other machines would reach it unprotected.
    #[error(transparent)]
    Server(#[from] AdminServerError),
}

/// The token of `[system.admin]`, if it has one.
pub(crate) fn token(system: &System) -> Result<Option<Token>, SurfaceError> {
    let path = system.admin.token_file.as_deref();
    let token = path.map(|path| Token::load("[system.admin] token_file", path));
    Ok(token.transpose()?)
}

/// Whether other machines may reach the port of `[system.admin] listen` as it is.
pub(crate) fn check(system: &System, has_token: bool) -> Result<(), SurfaceError> {
    let Some(address) = system.admin.listen else {
        return Ok(());
    };
    let exposure = exposure(
        "the node's status",
        address,
        system.tls.identity.is_some(),
        has_token,
        ADMIN_REMEDIES,
    );
    Ok(exposure.check(system.insecure).map_err(AdminServerError::from)?)
}

/// Answers at the address of `[system.admin] listen`, if there is one, until the node's tasks end.
pub(crate) async fn serve(admin: &Arc<Admin>, system: &System, tls: &Tls, tasks: &Tasks) -> Result<(), SurfaceError> {
    let Some(listen) = system.admin.listen else {
        return Ok(());
    };
    let server_tls = tls.server.clone();
    let has_tls = server_tls.is_some();
    let hosts = HostPolicy::new("this node's status", listen.ip(), NAME_IT).with(system.admin.hosts.iter().cloned());
    let server = AdminServer::bind(listen, server_tls, hosts, Arc::clone(admin)).await?;
    let scheme = if has_tls { "https" } else { "http" };
    let page = format!("{scheme}://{}/", server.local_addr());
    info!(url = page, "page at {page}");
    let (tracker, stop) = (tasks.runtime().clone(), tasks.stop().clone());
    tasks.spawn_runtime("the status's listener", Box::pin(server.run(tracker, stop)));
    Ok(())
}
