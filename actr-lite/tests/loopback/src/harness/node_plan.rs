//! A node before it starts.

use std::{future::Future, path::PathBuf};

use actr_lite::{ActrError, ActrRef, ActrSystem, Context, Node, Rpc};

use crate::harness::{
    deadline::within,
    messages::{Answer, Ask},
    workload::TestWorkload,
};

/// A node that is still to be started.
pub(crate) struct NodePlan {
    path: PathBuf,
    text: String,
    overrides: Vec<String>,
    workload: TestWorkload,
}

impl NodePlan {
    pub(crate) fn new(path: PathBuf, name: &str, registry_url: &str) -> Self {
        Self {
            path,
            text: format!(
                "edition = 1\n\
                 exports = [\"open.proto\"]\n\
                 [package]\n\
                 name = \"{name}\"\n\
                 [package.actr_type]\n\
                 manufacturer = \"acme\"\n\
                 name = \"{name}\"\n\
                 [system.signaling]\n\
                 url = \"{registry_url}\"\n\
                 [system.deployment]\n\
                 realm_id = 1\n"
            ),
            overrides: Vec::new(),
            workload: TestWorkload::default(),
        }
    }

    pub(crate) fn set(mut self, key_value: &str) -> Self {
        self.overrides.push(key_value.into());
        self
    }

    /// Its data lane speaks TLS, and it trusts the world's CA.
    pub(crate) fn with_tls(self) -> Self {
        self.set("system.tls.cert=cert.pem")
            .set("system.tls.key=key.pem")
            .set("system.tls.ca=ca.pem")
    }

    /// Nobody can dial it.
    pub(crate) fn hidden(self) -> Self {
        self.set("system.discovery.visible=false")
    }

    pub(crate) fn on<R, F, Fut>(mut self, handler: F) -> Self
    where
        R: Rpc,
        F: Fn(R, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Response, ActrError>> + Send + 'static,
    {
        self.workload.answer(handler);
        self
    }

    /// [`Ask`] answers with its own text and data.
    pub(crate) fn echo(self) -> Self {
        self.on(|request: Ask, _| async move {
            Ok(Answer {
                text: request.text,
                data: request.data,
            })
        })
    }

    pub(crate) fn on_start<Fut>(mut self, hook: impl Fn(Context) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<(), ActrError>> + Send + 'static,
    {
        self.workload.at_start(hook);
        self
    }

    pub(crate) fn on_stop<Fut>(mut self, hook: impl Fn(Context) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<(), ActrError>> + Send + 'static,
    {
        self.workload.at_stop(hook);
        self
    }

    pub(crate) fn node(self) -> Node<TestWorkload> {
        std::fs::write(&self.path, &self.text).unwrap();
        let overrides: Vec<_> = self.overrides.iter().map(|text| text.parse().unwrap()).collect();
        ActrSystem::from_toml_with(&self.path, &overrides)
            .unwrap()
            .attach(self.workload)
    }

    pub(crate) async fn start(self) -> ActrRef {
        within(self.node().start()).await.unwrap()
    }
}
