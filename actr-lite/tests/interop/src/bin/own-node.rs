//! A node of this workspace that is called and calls at the same time: `own-node ACTR_TOML REGISTRY_URL PEER COUNT` calls the
//! official node with this id so often, and says `answered COUNT calls, the first after N ms`; it runs until it is killed.

use std::{
    env, future,
    io::{self, Write as _},
    sync::Arc,
    time::Instant,
};

use actr_lite::{ActrError, ActrId, ActrSystem, Context, Dest, Service, Workload};
use anyhow::{Context as _, bail, ensure};
use protos::stream_server::{
    RegisterStreamRequest, RegisterStreamResponse, StreamServerDispatcher, StreamServerHandler,
};
use tracing_subscriber::EnvFilter;

struct Server;

impl Workload for Server {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        vec![Arc::new(StreamServerDispatcher::new(self))]
    }
}

impl StreamServerHandler for Server {
    async fn register_stream(&self, _: RegisterStreamRequest, _: Context) -> Result<RegisterStreamResponse, ActrError> {
        Ok(RegisterStreamResponse {
            success: true,
            message: "registered by a node of this workspace".into(),
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [manifest, registry, peer, count] = arguments.as_slice() else {
        bail!("usage: own-node ACTR_TOML REGISTRY_URL PEER COUNT");
    };
    let (peer, count): (ActrId, i32) = (peer.parse().context("PEER")?, count.parse().context("COUNT")?);
    let overrides = [
        format!("system.signaling.url={registry}"),
        "system.signaling.embedded=false".into(),
        "system.insecure=true".into(),
    ];
    let overrides: Vec<_> = overrides.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let node = ActrSystem::from_toml_with(manifest, &overrides)?
        .attach(Server)
        .start()
        .await?;
    let (began, mut first) = (Instant::now(), None);
    for message_count in 1..=count {
        let request = RegisterStreamRequest {
            stream_id: "abcd1234".into(),
            message_count,
        };
        let answer = node.context().call(&Dest::actor(peer.clone()), request).await?;
        ensure!(answer.success, "the peer refused: {}", answer.message);
        first.get_or_insert_with(|| began.elapsed());
    }
    let first = first.unwrap_or_default().as_millis();
    writeln!(io::stdout(), "answered {count} calls, the first after {first} ms")?;
    future::pending().await
}
