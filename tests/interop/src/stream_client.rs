//! Who asks a stream server for a stream, with the published runtime.

use std::time::Duration;

use actr_framework::{Context as _, Dest, MessageDispatcher, Workload};
use actr_protocol::{ActorResult, ActrError, ActrType, RpcEnvelope};
use anyhow::{Context as _, anyhow, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    official_node::OfficialNode,
    stream_server::{self, RegisterStream},
};

/// The type of a client.
pub fn actr_type() -> ActrType {
    ActrType {
        manufacturer: "acme".into(),
        name: "StreamEchoClient".into(),
        version: "1.0.0".into(),
    }
}

/// A workload that serves nothing.
#[derive(Debug)]
pub struct Caller;

#[async_trait]
impl Workload for Caller {
    type Dispatcher = NothingServed;
}

/// Refuses every call.
#[derive(Debug)]
pub struct NothingServed;

#[async_trait]
impl MessageDispatcher for NothingServed {
    type Workload = Caller;

    async fn dispatch<C: actr_framework::Context>(_: &Caller, envelope: RpcEnvelope, _: &C) -> ActorResult<Bytes> {
        Err(ActrError::UnknownRoute(envelope.route_key))
    }
}

/// Finds a stream server, asks it for `count` frames, and receives them.
///
/// # Errors
/// If a step fails, a frame differs from what it should be, or does not come within `patience`.
pub async fn receive(node: &OfficialNode, count: i32, patience: Duration) -> anyhow::Result<()> {
    const STREAM_ID: &str = "official";
    let ctx = node.actr().app_context().await;
    let server = ctx
        .discover_route_candidate(&stream_server::actr_type())
        .await
        .map_err(|error| anyhow!("no server was found: {error}"))?;
    let (frames, mut received) = mpsc::unbounded_channel();
    ctx.register_stream(STREAM_ID.into(), move |frame, _| {
        // Nobody receives any more only when a frame was wrong.
        drop(frames.send(frame));
        Box::pin(async { Ok(()) })
    })
    .await
    .map_err(|error| anyhow!("the stream can't be registered here: {error}"))?;
    let request = RegisterStream {
        stream_id: STREAM_ID.into(),
        message_count: count,
    };
    let answer = ctx.call(&Dest::Peer(server), request).await;
    let answer = answer.map_err(|error| anyhow!("the server refused: {error}"))?;
    ensure!(answer.success, "the server refused: {}", answer.message);
    for number in 1..=count {
        let frame = timeout(patience, received.recv())
            .await
            .with_context(|| format!("frame {number} of {count} did not come"))?
            .context("the stream has ended")?;
        let expected = (u64::from(number.unsigned_abs()), stream_server::text(number, STREAM_ID));
        let got = (frame.sequence, String::from_utf8_lossy(&frame.payload).into_owned());
        ensure!(got == expected, "got {got:?} instead of {expected:?}");
    }
    Ok(())
}
