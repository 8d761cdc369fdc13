//! Where nodes live: a registry, and the files that they read.

use actr_lite::ActrRef;
use actr_lite_dev_certs::{DevCa, LOCAL_HOSTS};
use actr_lite_registry::{Options, Registry, RegistryHandle};
use tempfile::TempDir;

use crate::harness::node_plan::NodePlan;

/// A registry, and a folder for the nodes' files.
pub(crate) struct World {
    pub(crate) registry: RegistryHandle,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self {
            registry: Registry::bind("127.0.0.1:0", options).await.unwrap().spawn(),
            folder: TempDir::new().unwrap(),
        }
    }

    /// Makes a CA and a certificate for nodes of it, in place of those that there are.
    pub(crate) fn certify(&self) -> DevCa {
        let ca = DevCa::new().unwrap();
        let cert = ca.issue(LOCAL_HOSTS).unwrap();
        actr_lite_dev_certs::write(self.folder.path(), &ca, &cert, true).unwrap();
        ca
    }

    pub(crate) fn registry_url(&self) -> String {
        format!("ws://{}/signaling/ws", self.registry.local_addr())
    }

    /// A node of the type `acme+<name>`: it exports `open.proto`, is visible, and knows no handlers yet.
    pub(crate) fn node(&self, name: &str) -> NodePlan {
        let path = self.folder.path().join(format!("{name}.toml"));
        NodePlan::new(path, name, &self.registry_url())
    }

    /// A node that calls others, and that nobody can dial.
    pub(crate) async fn client(&self) -> ActrRef {
        self.node("Client").hidden().start().await
    }
}
