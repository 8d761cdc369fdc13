//! The streams that are asked for, and what came of them.

use std::{
    env,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use actr_lite::{ActrId, ActrRef, ActrType, CallOptions, Context, Dest};
use anyhow::{Context as _, Result, ensure};
use protos::stream_server::RegisterStreamRequest;
use serde::Serialize;
use server::MESSAGE_BYTES_HINT;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    checker::{Checker, Seen},
    figures,
};

/// Requests for one frame, one after another on a warm connection, for the time to the first frame.
const FIRST_FRAME_REQUESTS: usize = 200;

/// After so long without a frame, what is missing counts as lost.
const IDLE: Duration = Duration::from_secs(10);

/// How often it is looked whether frames still come.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What to ask for.
#[derive(Debug, Clone)]
pub struct Load {
    /// Streams on each connection.
    pub streams: u64,
    /// Frames of each stream.
    pub count: u32,
    /// Bytes of each payload; 0: just the text.
    pub payload: u32,
    /// Connections.
    pub connections: u64,
    /// What the callback sleeps after each frame.
    pub slow: Option<Duration>,
}

/// What came.
#[derive(Debug, Serialize)]
pub struct Report {
    streams: u64,
    count: u32,
    payload: u32,
    connections: u64,
    frames: u64,
    lost: u64,
    order_errors: u64,
    payload_bytes: u64,
    seconds: f64,
    frames_per_s: f64,
    first_frame_us_p50: f64,
    first_frame_us_p99: f64,
    client_rss_kb: u64,
    client_cpu_s: f64,
    server_cpu_s: Option<f64>,
}

impl Load {
    /// Runs it against a live server of this type.
    ///
    /// # Errors
    /// When there is none, or it refuses a stream.
    pub async fn run(&self, actr: &ActrRef, server_type: &ActrType) -> Result<Report> {
        let ctx = actr.context();
        let server = ctx.discover(server_type).await?;
        let dests = self.connect(ctx, &server).await?;
        let mut first_us = self.first_frames(ctx, &dests[0], &server).await?;
        first_us.sort_by(f64::total_cmp);
        let percentile = |share: f64| {
            let at = (first_us.len() as f64 * share) as usize;
            first_us
                .get(at.min(first_us.len().saturating_sub(1)))
                .copied()
                .unwrap_or_default()
        };

        let server_pids: Vec<u32> = env::var("PEER_SERVER_PIDS")
            .unwrap_or_default()
            .split(',')
            .filter_map(|pid| pid.parse().ok())
            .collect();
        let (client_before, server_before) = (figures::own_cpu_seconds(), figures::cpu_seconds_of(&server_pids));
        let (seen, seconds) = self.bulk(ctx, &dests, &server).await?;
        let client_cpu_s = figures::own_cpu_seconds() - client_before;
        let server_cpu_s = figures::cpu_seconds_of(&server_pids) - server_before;

        let wanted = self.streams * self.connections * u64::from(self.count);
        let frames = total(&seen, |seen| seen.frames.load(Relaxed));
        Ok(Report {
            streams: self.streams,
            count: self.count,
            payload: self.payload,
            connections: self.connections,
            frames,
            lost: wanted.saturating_sub(frames),
            order_errors: total(&seen, |seen| seen.errors.load(Relaxed)),
            payload_bytes: total(&seen, |seen| seen.bytes.load(Relaxed)),
            seconds,
            frames_per_s: (frames as f64 / seconds).round(),
            first_frame_us_p50: percentile(0.5),
            first_frame_us_p99: percentile(0.99),
            client_rss_kb: figures::peak_rss_kb(),
            client_cpu_s,
            server_cpu_s: (!server_pids.is_empty()).then_some(server_cpu_s),
        })
    }

    async fn connect(&self, ctx: &Context, server: &ActrId) -> Result<Vec<Dest>> {
        ensure!(self.connections > 0, "at least one connection is needed");
        if self.connections == 1 {
            return Ok(vec![Dest::actor(server.clone())]);
        }
        let mut dests = Vec::new();
        for number in 1..=self.connections {
            let connection = ctx
                .connect(server)
                .await
                .with_context(|| format!("connection {number}"))?;
            dests.push(Dest::from(connection));
        }
        Ok(dests)
    }

    /// Microseconds from a request to its first frame.
    async fn first_frames(&self, ctx: &Context, dest: &Dest, server: &ActrId) -> Result<Vec<f64>> {
        let mut micros = Vec::new();
        for number in 0..FIRST_FRAME_REQUESTS {
            let (done, mut first) = mpsc::unbounded_channel();
            let checker = Checker::new(1, None, Arc::default(), done);
            let begin = Instant::now();
            self.register(ctx, dest, server, format!("l{number:07}"), 1, checker)
                .await?;
            let end = timeout(IDLE, first.recv()).await.context("no first frame came")?;
            micros.push((end.context("the stream ended without a frame")? - begin).as_secs_f64() * 1e6);
        }
        Ok(micros)
    }

    /// All streams at once; the seconds from the first request to the last frame.
    async fn bulk(&self, ctx: &Context, dests: &[Dest], server: &ActrId) -> Result<(Vec<Arc<Seen>>, f64)> {
        let streams = self.streams * self.connections;
        let seen: Vec<Arc<Seen>> = (0..streams).map(|_| Arc::default()).collect();
        let (done, mut finished) = mpsc::unbounded_channel();
        let begin = Instant::now();
        let mut requests = JoinSet::new();
        for (number, seen) in seen.iter().enumerate() {
            let checker = Checker::new(self.count.into(), self.slow, Arc::clone(seen), done.clone());
            let (load, ctx, server) = (self.clone(), ctx.clone(), server.clone());
            let dest = dests[number % dests.len()].clone();
            requests.spawn(async move {
                load.register(&ctx, &dest, &server, format!("s{number:07}"), load.count, checker)
                    .await
            });
        }
        let (mut open, mut end, mut before) = (streams, begin, (0, Instant::now()));
        while open > 0 {
            tokio::select! {
                Some(at) = finished.recv() => {
                    open -= 1;
                    end = end.max(at);
                }
                Some(request) = requests.join_next() => request??,
                () = sleep(LOOK_EVERY) => {
                    let frames = total(&seen, |seen| seen.frames.load(Relaxed));
                    if frames != before.0 {
                        before = (frames, Instant::now());
                        end = before.1;
                    } else if before.1.elapsed() > IDLE {
                        break;
                    }
                }
            }
        }
        Ok((seen, (end - begin).as_secs_f64()))
    }

    async fn register(
        &self,
        ctx: &Context,
        dest: &Dest,
        server: &ActrId,
        stream_id: String,
        count: u32,
        mut checker: Checker,
    ) -> Result<()> {
        let registration = ctx.register_stream(stream_id.parse()?, move |frame, _sender| checker.check(&frame))?;
        registration.expect_from(server);
        let request = RegisterStreamRequest {
            stream_id,
            message_count: i32::try_from(count)?,
        };
        let metadata = vec![(MESSAGE_BYTES_HINT.into(), self.payload.to_string())];
        let response = ctx
            .call_with(
                dest,
                request,
                CallOptions {
                    metadata,
                    ..CallOptions::default()
                },
            )
            .await?;
        ensure!(response.success, "{}", response.message);
        Ok(())
    }
}

fn total(seen: &[Arc<Seen>], figure: impl Fn(&Seen) -> u64) -> u64 {
    seen.iter().map(|seen| figure(seen)).sum()
}
