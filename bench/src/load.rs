//! The streams that are asked for, and what came of them.

use std::{
    env,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use actr_lite::{ActrId, ActrRef, ActrType, Context};
use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    checker::{Checker, Seen},
    client::Connection,
    figures,
    streams::{self, IDLE, Outcome, Wanted},
};

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
    /// Requests for one frame, one after another on a warm connection, for the time to the first frame.
    pub latency_requests: usize,
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
        let connections = self.connect(ctx, &server).await?;
        let mut first_us = self.first_frames(&connections[0]).await?;
        first_us.sort_by(f64::total_cmp);

        let server_pids: Vec<u32> = env::var("PEER_SERVER_PIDS")
            .unwrap_or_default()
            .split(',')
            .filter_map(|pid| pid.parse().ok())
            .collect();
        let (client_before, server_before) = (figures::own_cpu_seconds(), figures::cpu_seconds_of(&server_pids));
        let Outcome { begin, end, seen } = self.bulk(&connections).await?;
        let seconds = (end - begin).as_secs_f64();
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
            first_frame_us_p50: figures::percentile(&first_us, 0.5),
            first_frame_us_p99: figures::percentile(&first_us, 0.99),
            client_rss_kb: figures::peak_rss_kb(),
            client_cpu_s,
            server_cpu_s: (!server_pids.is_empty()).then_some(server_cpu_s),
        })
    }

    async fn connect(&self, ctx: &Context, server: &ActrId) -> Result<Vec<Connection>> {
        ensure!(self.connections > 0, "at least one connection is needed");
        if self.connections == 1 {
            return Ok(vec![Connection::shared(ctx, server)]);
        }
        let mut connections = Vec::new();
        for number in 1..=self.connections {
            let connection = Connection::own(ctx, server).await;
            connections.push(connection.with_context(|| format!("connection {number}"))?);
        }
        Ok(connections)
    }

    /// Microseconds from a request to its first frame.
    async fn first_frames(&self, connection: &Connection) -> Result<Vec<f64>> {
        let mut micros = Vec::new();
        for number in 0..self.latency_requests {
            let (done, mut first) = mpsc::unbounded_channel();
            let checker = Checker::new(1, None, Arc::default(), done);
            let begin = Instant::now();
            let _registration = connection
                .ask(format!("l{number:07}"), 1, self.payload, checker)
                .await?;
            let end = timeout(IDLE, first.recv()).await.context("no first frame came")?;
            micros.push((end.context("the stream ended without a frame")? - begin).as_secs_f64() * 1e6);
        }
        Ok(micros)
    }

    /// All streams at once.
    async fn bulk(&self, connections: &[Connection]) -> Result<Outcome> {
        let wanted = connections.iter().cycle().zip(0..self.streams * self.connections);
        let wanted = wanted.map(|(connection, number)| Wanted {
            connection: connection.clone(),
            stream_id: format!("s{number:07}"),
            count: self.count,
            payload: self.payload,
            slow: self.slow,
        });
        streams::run(wanted.collect()).await
    }
}

fn total(seen: &[Arc<Seen>], figure: impl Fn(&Seen) -> u64) -> u64 {
    seen.iter().map(|seen| figure(seen)).sum()
}
