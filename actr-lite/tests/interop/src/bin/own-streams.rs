//! A stream server or client of this workspace, over WebRTC, with frames of any length and delivery.
//!
//! `own-streams REGISTRY_URL REALM_ID serve ACTR_TOML [PADDING [latency-first]]` says `own server ready as ID` and runs until it
//! is killed; its frames are longer by PADDING bytes;
//! `own-streams REGISTRY_URL REALM_ID receive COUNT` ends with 0 when all frames of a stream have come, in order, and says how
//! many bytes they have;
//! `own-streams REGISTRY_URL REALM_ID receive-some COUNT` ends with 0 when so many frames of an endless stream have come.

use std::{
    env, future,
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use actr_lite::{
    ActrError, ActrSystem, Context, DataStream, Delivery, Dest, SendError, Service, StreamOptions, StreamSender,
    Subscription, Workload,
};
use anyhow::{Context as _, bail, ensure};
use interop::{
    logging, own_client,
    stream_server::{self, Frames, LATENCY_FIRST_PAUSE},
};
use protos::stream_server::{
    RegisterStreamRequest, RegisterStreamResponse, StreamServerDispatcher, StreamServerHandler,
};
use tokio::time::timeout;

/// How long a frame may take.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

struct Server(Frames);

impl Workload for Server {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        vec![Arc::new(StreamServerDispatcher::new(self))]
    }
}

impl StreamServerHandler for Server {
    async fn register_stream(
        &self,
        request: RegisterStreamRequest,
        ctx: Context,
    ) -> Result<RegisterStreamResponse, ActrError> {
        let caller = ctx.caller_id().cloned().ok_or(ActrError::Stopping)?;
        let options = StreamOptions {
            delivery: match self.0.are_latency_first {
                true => Delivery::LatencyFirst,
                false => Delivery::Reliable,
            },
            ..StreamOptions::default()
        };
        let stream_id = request.stream_id.parse()?;
        let sender = ctx.open_stream_with(&Dest::actor(caller), stream_id, options).await?;
        ctx.spawn(send(sender, request, self.0));
        Ok(RegisterStreamResponse {
            success: true,
            message: "registered by a node of this workspace".into(),
        })
    }
}

async fn send(mut sender: StreamSender, request: RegisterStreamRequest, frames: Frames) -> Result<(), SendError> {
    for number in 1..=request.message_count {
        sender.send(frames.payload("own", number, &request.stream_id)).await?;
        if frames.are_latency_first {
            sender.pause(LATENCY_FIRST_PAUSE).await?;
        }
    }
    sender.finish().await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    logging::start("warn");
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [registry, _, "serve", manifest] => serve(registry, manifest, Frames::SHORT).await,
        [registry, _, "serve", manifest, padding, delivery @ ..] => {
            let frames = Frames {
                padding: padding.parse().context("PADDING")?,
                are_latency_first: delivery == ["latency-first"],
            };
            serve(registry, manifest, frames).await
        }
        [registry, realm_id, "receive", count] => {
            let actr = own_client::start(registry, realm_id).await?;
            let count = count.parse().context("COUNT")?;
            let mut stream = own_client::ask(&actr, "own", count).await?;
            let mut bytes = 0;
            for number in 1..=count {
                let (sequence, len) = next(&mut stream).await?;
                ensure!(sequence == number, "frame {sequence} came instead of {number}");
                bytes += len;
            }
            say(&format!("{count} of {count} frames in order: {bytes} bytes"))
        }
        [registry, realm_id, "receive-some", count] => {
            let actr = own_client::start(registry, realm_id).await?;
            let mut stream = own_client::ask(&actr, "own", i32::MAX).await?;
            let mut last = 0;
            for _ in 0..count.parse().context("COUNT")? {
                let (sequence, _) = next(&mut stream).await?;
                ensure!(sequence > last, "frame {sequence} came behind {last}");
                last = sequence;
            }
            say(&format!("received {count} frames of an endless stream"))
        }
        _ => bail!(
            "usage: own-streams REGISTRY_URL REALM_ID \
             (serve ACTR_TOML [PADDING [latency-first]]|receive COUNT|receive-some COUNT)"
        ),
    }
}

async fn serve(registry: &str, manifest: &str, frames: Frames) -> anyhow::Result<()> {
    let overrides = [
        format!("system.signaling.url={registry}"),
        "system.signaling.embedded=false".into(),
        "system.insecure=true".into(),
    ];
    let overrides: Vec<_> = overrides.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let system = ActrSystem::from_toml_with(manifest, &overrides)?;
    let node = system.attach(Server(frames)).start().await?;
    say(&format!("own server ready as {}", node.actor_id()))?;
    future::pending().await
}

/// The number and the length of the next frame.
async fn next(stream: &mut Subscription) -> anyhow::Result<(i32, usize)> {
    let frame: DataStream = timeout(WAIT_TIMEOUT, stream.next())
        .await
        .context("no frame comes any more")?
        .context("the stream has ended")?;
    let number = i32::try_from(frame.sequence)?;
    let expected = stream_server::text(number, "own");
    ensure!(
        frame.payload.ends_with(expected.as_bytes()),
        "got {:?} as number {number} instead of {expected:?}",
        frame.text()
    );
    Ok((number, frame.payload.len()))
}

/// Prints a line on stdout.
fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("stdout cannot be written to")
}
