//! One end of a measured stream, as a process of its own.

use std::{
    future,
    io::{self, Write as _},
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail, ensure};
use bench::{
    checker::Checker,
    client::{self, Connection},
    figures::own_cpu_seconds,
    server::BenchServer,
    settings::{Lane, SERVER_TYPE, Side, system},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    OfficialNode, StreamServer,
    official_node::Settings,
    stream_client::{self, Caller},
    stream_server::{self, Frames},
};

/// How long a server may be invisible to a client that has just started.
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a stream may take.
const STREAM_TIMEOUT: Duration = Duration::from_secs(120);

/// The realm of both.
const REALM: u32 = 1;

/// Whose runtime an end has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// This workspace's.
    Own,
    /// The published one.
    Official,
}

/// What a client has measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    /// When the first frame came, in seconds since the epoch of Unix.
    pub first_frame_at: f64,
    /// From the request to the last frame.
    pub seconds: f64,
    /// Processor seconds of the whole process.
    pub cpu_s: f64,
}

/// Serves streams until it is killed; says when it begins.
///
/// # Errors
/// When it can't be registered.
pub async fn serve(kind: Kind, registry: SocketAddr) -> Result<()> {
    match kind {
        Kind::Own => {
            let side = Side::Server { hosts_registry: false };
            let actr = system(side, registry, Lane::Webrtc)?
                .attach(BenchServer)
                .start()
                .await?;
            say("ready")?;
            actr.wait_for_shutdown().await;
            Ok(())
        }
        Kind::Official => {
            let settings = settings(
                registry,
                stream_server::actr_type(),
                Some(stream_server::service_spec()?),
            )?;
            let _node = OfficialNode::start(settings, StreamServer::Sends(Frames::SHORT)).await?;
            say("ready")?;
            future::pending().await
        }
    }
}

/// Asks for one frame and then for `count`, and says what it has measured.
///
/// # Errors
/// When one is missing or wrong.
pub async fn receive(kind: Kind, registry: SocketAddr, count: u32) -> Result<()> {
    let measured = match kind {
        Kind::Own => own(registry, count).await?,
        Kind::Official => official(registry, count).await?,
    };
    say(&serde_json::to_string(&measured)?)
}

async fn own(registry: SocketAddr, count: u32) -> Result<Measured> {
    let actr = client::start(registry, Lane::Webrtc).await?;
    let ctx = actr.context();
    let server_type = SERVER_TYPE.parse()?;
    let began = Instant::now();
    let server = loop {
        match ctx.discover(&server_type).await {
            Ok(server) => break server,
            Err(error) if began.elapsed() > DISCOVER_TIMEOUT => bail!(error),
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    };
    let connection = Connection::shared(ctx, &server);
    let stream = async |name: &str, count: u32| {
        let (done, mut finished) = mpsc::unbounded_channel();
        let seen = Arc::default();
        let checker = Checker::new(count.into(), None, Arc::clone(&seen), done);
        let _stream = connection.ask(name.into(), count, 0, checker).await?;
        timeout(STREAM_TIMEOUT, finished.recv())
            .await
            .context("the stream takes too long")?;
        let (frames, errors) = (seen.frames.load(Relaxed), seen.errors.load(Relaxed));
        ensure!(
            (frames, errors) == (count.into(), 0),
            "{frames} frames of {count}, {errors} of them wrong"
        );
        anyhow::Ok(())
    };
    stream("first", 1).await?;
    let first_frame_at = now()?;
    let began = Instant::now();
    stream("all", count).await?;
    Ok(Measured {
        first_frame_at,
        seconds: began.elapsed().as_secs_f64(),
        cpu_s: own_cpu_seconds(),
    })
}

async fn official(registry: SocketAddr, count: u32) -> Result<Measured> {
    let node = OfficialNode::start(settings(registry, stream_client::actr_type(), None)?, Caller).await?;
    stream_client::receive(&node, 1, STREAM_TIMEOUT, |_| ()).await?;
    let first_frame_at = now()?;
    let began = Instant::now();
    stream_client::receive(&node, i32::try_from(count)?, STREAM_TIMEOUT, |_| ()).await?;
    Ok(Measured {
        first_frame_at,
        seconds: began.elapsed().as_secs_f64(),
        cpu_s: own_cpu_seconds(),
    })
}

fn settings(
    registry: SocketAddr,
    actr_type: actr_protocol::ActrType,
    service_spec: Option<actr_protocol::ServiceSpec>,
) -> Result<Settings> {
    Ok(Settings {
        registry: format!("ws://{registry}/signaling/ws").parse()?,
        actr_type,
        realm_id: REALM,
        websocket_port: None,
        service_spec,
    })
}

/// The time, in seconds since the epoch of Unix.
///
/// # Errors
/// When the clock is before it.
pub fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("stdout cannot be written to")
}
