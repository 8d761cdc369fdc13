//! A node of the published runtime, linked into the program that starts it.

use std::{collections::HashMap, sync::Arc};

use actr_config::{ObservabilityConfig, PackageInfo, RuntimeConfig, WebRtcConfig};
use actr_framework::Workload;
use actr_hyper::{ActrRef, Hyper, HyperConfig, Node, StaticTrust};
use actr_protocol::{ActrType, Realm, ServiceSpec};
use anyhow::{Context as _, anyhow};
use tempfile::TempDir;
use url::Url;

/// How a node of the published runtime is to be started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The registry: `ws://HOST:PORT/signaling/ws`. Registration is at the same host and port.
    pub registry: Url,
    /// What the node is.
    pub actr_type: ActrType,
    /// Where it lives.
    pub realm_id: u32,
    /// The port on which others dial it, if they may; its WebRTC lane is there in any case.
    pub websocket_port: Option<u16>,
    /// The contract that it publishes.
    pub service_spec: Option<ServiceSpec>,
}

/// A running node of the published runtime. It ends when this is dropped.
pub struct OfficialNode {
    actr: ActrRef,
    /// Where the runtime keeps what it keeps.
    _directory: TempDir,
}

impl OfficialNode {
    /// Registers a node with this workload, and starts it.
    ///
    /// # Errors
    /// If one of its steps fails.
    pub async fn start<W: Workload>(settings: Settings, workload: W) -> anyhow::Result<Self> {
        let directory = TempDir::new().context("no temporary directory")?;
        let hyper = HyperConfig::new(directory.path(), Arc::new(StaticTrust::dev_only()));
        let hyper = Hyper::new(hyper).await?;
        let service_spec = settings.service_spec.clone();
        let config = runtime_config(settings, &directory)?;
        let ais_endpoint = config.ais_endpoint.clone();
        let attached = Node::from_hyper(hyper, config).link(workload).await?;
        let registered = attached
            .register_with(&ais_endpoint, service_spec)
            .await
            .with_context(|| {
                format!("no registration at {ais_endpoint}: start a registry, or a server that hosts one")
            })?;
        let actr = registered.start().await.map_err(|error| anyhow!("{error}"))?;
        Ok(Self {
            actr,
            _directory: directory,
        })
    }

    /// The runtime's own handle.
    pub fn actr(&self) -> &ActrRef {
        &self.actr
    }

    /// The text of the node's id.
    pub fn id(&self) -> String {
        self.actr.actor_id().to_string_repr()
    }
}

impl Drop for OfficialNode {
    fn drop(&mut self) {
        self.actr.shutdown();
    }
}

fn runtime_config(settings: Settings, directory: &TempDir) -> anyhow::Result<RuntimeConfig> {
    let host = settings.registry.host_str().context("a registry without a host")?;
    let port = settings.registry.port().context("a registry without a port")?;
    Ok(RuntimeConfig {
        package: PackageInfo {
            name: settings.actr_type.name.clone(),
            actr_type: settings.actr_type,
            description: None,
            authors: Vec::new(),
            license: None,
        },
        ais_endpoint: format!("http://{host}:{port}/ais"),
        signaling_url: settings.registry,
        realm: Realm {
            realm_id: settings.realm_id,
        },
        realm_secret: None,
        visible_in_discovery: true,
        acl: None,
        mailbox_path: None,
        scripts: HashMap::new(),
        webrtc: WebRtcConfig::default(),
        websocket_listen_port: settings.websocket_port,
        websocket_advertised_host: None,
        observability: ObservabilityConfig {
            filter_level: "warn".into(),
            tracing_enabled: false,
            tracing_endpoint: String::new(),
            tracing_service_name: "interop".into(),
        },
        config_dir: directory.path().to_owned(),
        trust: Vec::new(),
        package_path: None,
        web: None,
    })
}
