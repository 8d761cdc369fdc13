use std::{net::SocketAddr, sync::Arc};

use actr_lite_admin::{admin::Admin, token::Token};
use actr_lite_manifest::{Count, HeldBytes, Lifetime, Manifest, Problems, SignalingUrl, System, Timeout};
use actr_lite_registry::{
    Options, Registry, RegistryHandle,
    realms::Realms,
    registry::check_rivals,
    turn_relays::{TurnRelays, TurnSecret},
};
use actr_lite_tls::{ServerTls, Tls};
use actr_lite_wire::{host_policy::HostName, realm_secret::RealmSecret};
use tracing::info;

use crate::node::{hosted_registry::error::HostError, remedies::REMEDIES, surface::ADMIN_REMEDIES};

/// A registry that runs in this process.
pub(crate) struct HostedRegistry {
    handle: RegistryHandle,
    admin: Arc<Admin>,
}

/// What is known of a registry that is to run in this process, before it listens.
pub(crate) struct RegistryPlan {
    url: SignalingUrl,
    listen: Option<SocketAddr>,
    tls: Option<ServerTls>,
    options: Options,
}

impl RegistryPlan {
    /// As the manifest has it, with all files read or looked at. Changes nothing.
    pub(crate) fn of(
        manifest: &Manifest,
        tls: Option<&Tls>,
        realm_secret: Option<Option<&RealmSecret>>,
        admin_token: Option<Option<&Token>>,
    ) -> Result<Self, Problems<HostError>> {
        let signaling = &manifest.system.signaling;
        let url = signaling.url.clone();
        let mut problems = Vec::new();
        if url.is_tls()
            && let Some(Err(cause)) = tls.map(|tls| tls.check_self(url.host()))
        {
            problems.push(HostError::OwnCertificate {
                url: url.to_string(),
                cause: Box::new(cause),
            });
        }
        // A secret that can't be read is told elsewhere.
        let realms = match (&signaling.realms, realm_secret) {
            (Some(path), _) => Realms::from_file(path)
                .map_err(|error| problems.push(error.into()))
                .ok(),
            (None, Some(Some(secret))) => {
                let realm_id = manifest.system.deployment.realm_id;
                Some(Realms::only(realm_id, secret.as_bytes()))
            }
            (None, Some(None)) => Some(Realms::Open),
            (None, None) => None,
        };
        let are_realms_known = realms.is_some();
        let turn_secret = signaling.turn_secret_file.as_deref();
        let turn_secret = turn_secret.map(|path| TurnSecret::load("[system.signaling] turn_secret_file", path));
        let turn_secret = turn_secret.transpose().map_err(|error| problems.push(error.into()));
        let options = Options {
            insecure: manifest.system.insecure,
            admin_token: admin_token.flatten().cloned(),
            turn_relays: turn_secret.ok().flatten().map(|secret| TurnRelays {
                urls: signaling.turn_urls.clone(),
                secret,
            }),
            ..registry_options(&manifest.system, realms.unwrap_or_default())
        };
        if options.key_lifetime < options.credential_lifetime {
            problems.push(HostError::KeyLifetime {
                key: options.key_lifetime,
                credential: options.credential_lifetime,
            });
        }
        problems.extend(options.check_files().into_iter().map(HostError::from));
        let known = url.ip().map(|ip| SocketAddr::new(ip, url.port()));
        if let Some(address) = signaling.listen.or(known) {
            let exposed = are_realms_known.then(|| options.check_exposure(address, url.is_tls(), REMEDIES));
            problems.extend(exposed.and_then(Result::err).map(HostError::from));
            let shown = admin_token.map(|_| options.check_admin_exposure(address, url.is_tls(), ADMIN_REMEDIES));
            problems.extend(shown.and_then(Result::err).map(HostError::from));
        }
        let tls = tls.and_then(|tls| tls.server.clone()).filter(|_| url.is_tls());
        let listen = signaling.listen;
        let plan = Self {
            url,
            listen,
            tls,
            options,
        };
        Problems::or_value(problems, plan)
    }

    /// Starts it. Returns where it is, too.
    pub(crate) async fn start(self) -> Result<(SignalingUrl, HostedRegistry), HostError> {
        let Self {
            url,
            listen,
            tls,
            options,
        } = self;
        let address = listen.map_or_else(|| url.authority(), |listen| listen.to_string());
        let mut registry = Registry::bind(&address, options).await?;
        if let Some(tls) = tls {
            registry = registry.with_tls(tls);
        }
        registry.check_exposure(REMEDIES)?;
        registry.check_admin_exposure(ADMIN_REMEDIES)?;
        let bound = registry.local_addr();
        let url = match url.port() {
            0 => url.with_port(bound.port()),
            _ => url,
        };
        if url.port() == bound.port() {
            check_rivals(bound, url.host()).await?;
        }
        match listen {
            Some(_) => info!(address = %bound, %url, "registry listening on {bound}, dialled at {url}"),
            None => info!(%url, "registry listening on {url}"),
        }
        let scheme = if url.is_tls() { "https" } else { "http" };
        let page = format!("{scheme}://{}/", url.authority());
        info!(url = page, "page at {page}");
        // Before it answers: it is not ready before this node is.
        registry.admin().await_node();
        let admin = Arc::clone(registry.admin());
        let handle = registry.spawn();
        Ok((url, HostedRegistry { handle, admin }))
    }
}

impl HostedRegistry {
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
