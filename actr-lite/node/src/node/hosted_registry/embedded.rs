use std::sync::Arc;

use actr_lite_admin::{admin::Admin, token::Token};
use actr_lite_manifest::{Count, HeldBytes, Lifetime, Manifest, SignalingUrl, System, Timeout};
use actr_lite_registry::{Options, Registry, RegistryHandle, realms::Realms, registry::check_rivals};
use actr_lite_tls::Tls;
use actr_lite_wire::{host_policy::HostName, realm_secret::RealmSecret};
use tracing::info;

use crate::node::{hosted_registry::error::HostError, remedies::REMEDIES, surface::ADMIN_REMEDIES};

/// A registry that runs in this process.
pub(crate) struct HostedRegistry {
    handle: RegistryHandle,
    admin: Arc<Admin>,
}

impl HostedRegistry {
    /// Starts what the manifest describes. Returns where it is, too.
    pub(crate) async fn start(
        manifest: &Manifest,
        tls: &Tls,
        realm_secret: Option<&RealmSecret>,
        admin_token: Option<&Token>,
    ) -> Result<(SignalingUrl, Self), HostError> {
        let signaling = &manifest.system.signaling;
        if signaling.url.is_tls() {
            let check = tls.check_self(signaling.url.host());
            check.map_err(|cause| HostError::OwnCertificate {
                url: signaling.url.to_string(),
                cause: Box::new(cause),
            })?;
        }
        let realms = match (&signaling.realms, realm_secret) {
            (Some(path), _) => Realms::from_file(path)?,
            (None, Some(secret)) => Realms::only(manifest.system.deployment.realm_id, secret.as_bytes()),
            (None, None) => Realms::Open,
        };
        let options = Options {
            insecure: manifest.system.insecure,
            admin_token: admin_token.cloned(),
            ..registry_options(&manifest.system, realms)
        };
        if options.key_lifetime < options.credential_lifetime {
            return Err(HostError::KeyLifetime {
                key: options.key_lifetime,
                credential: options.credential_lifetime,
            });
        }
        let address = signaling
            .listen
            .map_or_else(|| signaling.url.authority(), |listen| listen.to_string());
        let mut registry = Registry::bind(&address, options).await?;
        if signaling.url.is_tls()
            && let Some(server) = &tls.server
        {
            registry = registry.with_tls(server.clone());
        }
        registry.check_exposure(REMEDIES, manifest.system.insecure)?;
        registry.check_admin_exposure(ADMIN_REMEDIES, manifest.system.insecure)?;
        let bound = registry.local_addr();
        let url = match signaling.url.port() {
            0 => signaling.url.with_port(bound.port()),
            _ => signaling.url.clone(),
        };
        if url.port() == bound.port() {
            check_rivals(bound, url.host()).await?;
        }
        match signaling.listen {
            Some(_) => info!("registry listening on {bound}, dialled at {url}"),
            None => info!("registry listening on {url}"),
        }
        // Before it answers: it is not ready before this node is.
        registry.admin().await_node();
        let admin = Arc::clone(registry.admin());
        let handle = registry.spawn();
        Ok((url, Self { handle, admin }))
    }

    /// What it tells about itself, to which its node adds itself.
    pub(crate) fn admin(&self) -> &Arc<Admin> {
        &self.admin
    }

    /// Stops it, and waits for the end of its tasks. If the future is dropped, it stops all the same.
    pub(crate) async fn shutdown(self) {
        self.handle.shutdown().await;
    }
}

/// The registry's own defaults apply to limits that Actr.toml does not set.
fn registry_options(system: &System, realms: Realms) -> Options {
    let signaling = &system.signaling;
    let (default, limits) = (Options::default(), &signaling.limits);
    let lifetime = |lifetime: Option<Lifetime>, default| lifetime.map_or(default, Lifetime::duration);
    let count = |limit: Option<Count>, default| limit.map_or(default, Count::get);
    let bytes = |limit: Option<HeldBytes>, default| limit.map_or(default, HeldBytes::get);
    Options {
        credential_lifetime: lifetime(signaling.credential_lifetime, default.credential_lifetime),
        key_lifetime: lifetime(signaling.key_lifetime, default.key_lifetime),
        data_dir: signaling.data_dir.clone(),
        audit_log: signaling.audit_log.clone(),
        realms,
        allowed_hosts: allowed_hosts(system),
        max_connections: count(limits.max_connections, default.max_connections),
        max_connections_per_address: limits.max_connections_per_address.map(Count::get),
        max_connections_per_realm: limits.max_connections_per_realm.map(Count::get),
        max_nodes: count(limits.max_nodes, default.max_nodes),
        max_nodes_per_address: limits.max_nodes_per_address.map(Count::get),
        max_nodes_per_realm: limits.max_nodes_per_realm.map(Count::get),
        max_stored_bytes: bytes(limits.max_stored_bytes, default.max_stored_bytes),
        max_stored_bytes_per_address: limits.max_stored_bytes_per_address.map(HeldBytes::get),
        max_stored_bytes_per_realm: limits.max_stored_bytes_per_realm.map(HeldBytes::get),
        max_in_flight_bytes: bytes(limits.max_in_flight_bytes, default.max_in_flight_bytes),
        max_body_bytes: bytes(limits.max_body_bytes, default.max_body_bytes),
        header_timeout: limits.header_timeout.map_or(default.header_timeout, Timeout::duration),
        ..default
    }
}

/// The host that nodes dial, and what Actr.toml adds.
fn allowed_hosts(system: &System) -> Vec<HostName> {
    let System { signaling, admin, .. } = system;
    let dialled = signaling.url.host().parse().ok();
    dialled
        .into_iter()
        .chain(signaling.allowed_hosts.iter().chain(&admin.hosts).cloned())
        .collect()
}
