//! A node of this workspace that is called and calls at the same time: `own-node ACTR_TOML REGISTRY_URL TYPE COUNT` says `own
//! node ready`, looks for a node of this type, calls it so often, and says `answered COUNT calls, the first after N ms`; it
//! runs until it is killed.

use std::{
    env, future,
    io::{self, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use actr_lite::{ActrError, ActrSystem, ActrType, Context, Dest, Service, Workload};
use anyhow::{Context as _, bail, ensure};
use interop::logging;
use protos::stream_server::{
    RegisterStreamRequest, RegisterStreamResponse, StreamServerDispatcher, StreamServerHandler,
};
use tokio::time::sleep;

/// How long until the peer is looked for again.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

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
    logging::start("warn");
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [manifest, registry, peer_type, count] = arguments.as_slice() else {
        bail!("usage: own-node ACTR_TOML REGISTRY_URL TYPE COUNT");
    };
    let (peer_type, count): (ActrType, i32) = (peer_type.parse().context("TYPE")?, count.parse().context("COUNT")?);
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
    writeln!(io::stdout(), "own node ready")?;
    let peer = loop {
        let found = node.context().discover_all(&peer_type).await;
        if let Some(peer) = found.ok().and_then(|found| found.into_iter().next()) {
            break peer;
        }
        sleep(LOOK_PAUSE).await;
    };
    let (began, mut first) = (Instant::now(), None);
    for message_count in 1..=count {
        let request = RegisterStreamRequest {
            stream_id: "abcd1234".into(),
            message_count,
        };
        let answer = loop {
            match node.context().call(&Dest::actor(peer.clone()), request.clone()).await {
                // It is registered a moment before it can be reached by way of the registry.
                Err(ActrError::Unreachable { .. }) if first.is_none() => sleep(LOOK_PAUSE).await,
                answered => break answered?,
            }
        };
        ensure!(answer.success, "the peer refused: {}", answer.message);
        first.get_or_insert_with(|| began.elapsed());
    }
    let first = first.unwrap_or_default().as_millis();
    writeln!(io::stdout(), "answered {count} calls, the first after {first} ms")?;
    future::pending().await
}
