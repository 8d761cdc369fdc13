//! Who asks a stream server for a stream, with the published runtime.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use actr_framework::{Context as _, Dest, MessageDispatcher, Workload};
use actr_hyper::context::RuntimeContext;
use actr_protocol::{ActorResult, ActrError, ActrType, Classify as _, DataChunk, PayloadType, RpcEnvelope};
use anyhow::{Context as _, anyhow, bail, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use prost::Message as _;
use protos::stream_server::RegisterStreamResponse;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

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

/// How long until a server is looked for again.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

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

/// How long an answer may take before the stream is asked for again, and how often that is done. An official node drops
/// what comes before it knows where to put it, so that the first call to it may be lost: more often on a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const TRIES: usize = 12;

/// The pause before a stream is asked for again. After a call without an answer an official node closes the connection, and
/// refuses calls until there is another one.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Finds a stream server, asks it for `count` frames, and receives them; `came` is told the number of each. How many bytes they
/// have.
///
/// # Errors
/// If a step fails, a frame differs from what it should be, or does not come within `frame_timeout`.
pub async fn receive(
    node: &OfficialNode,
    count: i32,
    frame_timeout: Duration,
    mut came: impl FnMut(i32),
) -> anyhow::Result<usize> {
    let mut stream = Stream::ask(node, count).await?;
    let mut bytes = 0;
    for number in 1..=count {
        let (sequence, len) = stream.next(frame_timeout).await?;
        ensure!(sequence == number, "frame {sequence} came instead of {number}");
        bytes += len;
        came(number);
    }
    Ok(bytes)
}

/// Finds a stream server, asks it for more frames than it can send, and receives `count` of them, whichever come.
///
/// # Errors
/// If a step fails, a frame differs from what it should be, comes twice, or none comes within `frame_timeout`.
pub async fn receive_some(node: &OfficialNode, count: usize, frame_timeout: Duration) -> anyhow::Result<()> {
    let mut stream = Stream::ask(node, i32::MAX).await?;
    let mut came = HashSet::new();
    while came.len() < count {
        let (sequence, _) = stream.next(frame_timeout).await?;
        ensure!(came.insert(sequence), "frame {sequence} came twice");
    }
    Ok(())
}

/// A stream that a server has agreed to send.
struct Stream {
    id: String,
    received: mpsc::UnboundedReceiver<DataChunk>,
}

impl Stream {
    async fn ask(node: &OfficialNode, count: i32) -> anyhow::Result<Self> {
        let ctx = node.actr().app_context().await;
        let mut last = None;
        for attempt in 1..=TRIES {
            // A server that was there a moment ago may be gone.
            let server = find(&ctx).await?;
            // Another stream each time: a call that was only late is not mistaken for this one.
            let id = format!("official-{count}-{attempt}");
            let (frames, received) = mpsc::unbounded_channel();
            ctx.register_stream(id.clone(), move |frame, _| {
                // Nobody receives any more only when a frame was wrong.
                drop(frames.send(frame));
                Box::pin(async { Ok(()) })
            })
            .await
            .map_err(|error| anyhow!("the stream can't be registered here: {error}"))?;
            let request = RegisterStream {
                stream_id: id.clone(),
                message_count: count,
            };
            match ask(&ctx, &server, &request, ANSWER_TIMEOUT).await {
                Ok(answer) => {
                    ensure!(answer.success, "the server refused: {}", answer.message);
                    return Ok(Self { id, received });
                }
                Err(error) if error.is_retryable() => last = Some(error),
                Err(error) => bail!("the server refused: {error}"),
            }
            sleep(RETRY_PAUSE).await;
        }
        let last = last.map_or_else(String::new, |error| error.to_string());
        bail!("none of {TRIES} calls was answered; the last one: {last}")
    }

    /// The number and the length of the next frame.
    async fn next(&mut self, frame_timeout: Duration) -> anyhow::Result<(i32, usize)> {
        let frame = timeout(frame_timeout, self.received.recv())
            .await
            .context("no frame comes any more")?
            .context("the stream has ended")?;
        let number = i32::try_from(frame.sequence)?;
        let text = String::from_utf8_lossy(&frame.payload);
        // Who sends it, official or not, stands before that.
        let expected = stream_server::text(number, &self.id);
        ensure!(
            text.ends_with(&expected),
            "got {text:?} as number {number} instead of {expected:?}"
        );
        Ok((number, frame.payload.len()))
    }
}

/// Calls the stream server that there is `count` times, one after the other; how long the first answer took.
///
/// # Errors
/// If none is found or a call is not answered.
pub async fn call(node: &OfficialNode, count: i32) -> anyhow::Result<Duration> {
    let ctx = node.actr().app_context().await;
    let server = loop {
        if let Ok(server) = find(&ctx).await {
            break server;
        }
        sleep(LOOK_PAUSE).await;
    };
    let (began, mut first) = (Instant::now(), None);
    for message_count in 1..=count {
        let mut tries = 0;
        loop {
            let request = RegisterStream {
                stream_id: "abcd1234".into(),
                message_count,
            };
            tries += 1;
            match ask(&ctx, &server, &request, ANSWER_TIMEOUT).await {
                Ok(_) => break,
                Err(error) if tries < TRIES && error.is_retryable() => sleep(RETRY_PAUSE).await,
                Err(error) => bail!("call {message_count} was not answered: {error}"),
            }
        }
        first.get_or_insert_with(|| began.elapsed());
    }
    Ok(first.unwrap_or_default())
}

/// The stream server that the registry names.
///
/// # Errors
/// If it names none.
pub async fn find(ctx: &RuntimeContext) -> anyhow::Result<Dest> {
    let actr_type = stream_server::actr_type();
    let found = ctx.discover_route_candidate(&actr_type).await.map(Dest::Peer);
    found.map_err(|error| {
        let actr_type = actr_type.to_string_repr();
        anyhow!("no server of type {actr_type} is registered there: start one ({error})")
    })
}

/// Asks a server for a stream, once.
///
/// # Errors
/// If it refuses, or no answer comes in time.
pub async fn ask(
    ctx: &RuntimeContext,
    server: &Dest,
    request: &RegisterStream,
    answer_timeout: Duration,
) -> ActorResult<RegisterStreamResponse> {
    let (payload, timeout_ms) = (request.encode_to_vec().into(), answer_timeout.as_millis() as i64);
    let route = stream_server::ROUTE.into();
    let answer = RuntimeContext::call_raw(ctx, server, route, PayloadType::RpcReliable, payload, timeout_ms).await?;
    RegisterStreamResponse::decode(answer).map_err(|error| ActrError::DecodeFailure(error.to_string()))
}
