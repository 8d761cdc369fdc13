//! Nodes within the test's own process, for what the real programs never do.

use std::{
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use actr_lite::{ActrError, ActrRef, ActrSystem, ActrType, Context, Service, Workload};
use programs::{WAIT_TIMEOUT, unused_port};
use protos::{
    stream_client::{LocalStreamServiceDispatcher, LocalStreamServiceHandler, StartStreamRequest, StartStreamResponse},
    stream_server::{RegisterStreamRequest, RegisterStreamResponse, StreamServerDispatcher, StreamServerHandler},
};

use crate::{deployment::Deployment, fault_proxy::FaultProxy};

/// The type of the shipped server.
///
/// # Panics
/// Never: it is a type.
pub fn server_type() -> ActrType {
    "acme+StreamEchoServer"
        .parse()
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A node with the client's Actr.toml and no services, at this registry.
///
/// # Panics
/// If it does not start.
pub async fn caller(deployment: &Deployment, url: &str) -> ActrRef {
    struct Caller;
    impl Workload for Caller {
        fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
            Vec::new()
        }
    }
    start(deployment, "client", url, Caller).await
}

/// A node with the server's Actr.toml at this registry, which does what `handler` does when a stream is registered.
///
/// # Panics
/// If it does not start.
pub async fn server<H, F>(deployment: &Deployment, url: &str, handler: H) -> ActrRef
where
    H: Fn(RegisterStreamRequest, Context) -> F + Send + Sync + 'static,
    F: Future<Output = Result<RegisterStreamResponse, ActrError>> + Send + 'static,
{
    start(deployment, "server", url, Scripted(handler)).await
}

/// The same, whom others reach through this relay.
///
/// # Panics
/// If it does not start.
pub async fn server_behind<H, F>(deployment: &Deployment, url: &str, proxy: &FaultProxy, handler: H) -> ActrRef
where
    H: Fn(RegisterStreamRequest, Context) -> F + Send + Sync + 'static,
    F: Future<Output = Result<RegisterStreamResponse, ActrError>> + Send + 'static,
{
    let listen = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), unused_port());
    proxy.relay_to_address(listen);
    let listens = format!("system.websocket.listen={listen}");
    let advertised = format!("system.websocket.advertised={}", proxy.url());
    start_with(deployment, "server", url, &[&listens, &advertised], Scripted(handler)).await
}

/// A node with the server's Actr.toml at this registry whose contract is not the shipped server's: it exports the client's
/// proto too. It sends no stream.
///
/// # Panics
/// If it does not start.
pub async fn server_of_another_contract(deployment: &Deployment, url: &str) -> ActrRef {
    struct Upgraded;
    impl Workload for Upgraded {
        fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
            let refuse = |_, _| async { Err(ActrError::unavailable("this server sends nothing")) };
            vec![
                Arc::new(StreamServerDispatcher::new(Arc::new(Scripted(refuse)))),
                Arc::new(LocalStreamServiceDispatcher::new(self)),
            ]
        }
    }
    impl LocalStreamServiceHandler for Upgraded {
        async fn start_stream(&self, _: StartStreamRequest, _: Context) -> Result<StartStreamResponse, ActrError> {
            Err(ActrError::unavailable("this server starts nothing"))
        }
    }
    let exports = r#"exports=["../protos/stream_server.proto", "../protos/stream_client.proto"]"#;
    start_with(deployment, "server", url, &[exports], Upgraded).await
}

struct Scripted<H>(H);

impl<H, F> Workload for Scripted<H>
where
    H: Fn(RegisterStreamRequest, Context) -> F + Send + Sync + 'static,
    F: Future<Output = Result<RegisterStreamResponse, ActrError>> + Send + 'static,
{
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        vec![Arc::new(StreamServerDispatcher::new(self))]
    }
}

impl<H, F> StreamServerHandler for Scripted<H>
where
    H: Fn(RegisterStreamRequest, Context) -> F + Send + Sync + 'static,
    F: Future<Output = Result<RegisterStreamResponse, ActrError>> + Send + 'static,
{
    async fn register_stream(
        &self,
        request: RegisterStreamRequest,
        ctx: Context,
    ) -> Result<RegisterStreamResponse, ActrError> {
        (self.0)(request, ctx).await
    }
}

/// What a server answers that sends the stream.
pub fn registered() -> RegisterStreamResponse {
    RegisterStreamResponse {
        success: true,
        message: "registered by the test".into(),
    }
}

async fn start(deployment: &Deployment, folder: &str, url: &str, workload: impl Workload) -> ActrRef {
    start_with(deployment, folder, url, &[], workload).await
}

async fn start_with(
    deployment: &Deployment,
    folder: &str,
    url: &str,
    overrides: &[&str],
    workload: impl Workload,
) -> ActrRef {
    let url = format!("system.signaling.url={url}");
    let overrides: Vec<_> = [&url, "system.signaling.embedded=false"]
        .iter()
        .chain(overrides)
        .map(|text| text.parse().unwrap_or_else(|error| panic!("{error}")))
        .collect();
    let path = deployment.path(&format!("{folder}/Actr.toml"));
    let system = ActrSystem::from_toml_with(path, &overrides).unwrap_or_else(|error| panic!("{error}"));
    let started = system.attach(workload).register_timeout(WAIT_TIMEOUT).start().await;
    started.unwrap_or_else(|error| panic!("a node of the test does not start: {error}"))
}
