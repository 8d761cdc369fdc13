//! What streams and calls of one connection do to each other: a slow stream among fast ones, and calls among streams.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use actr_lite::{ActrRef, ActrType};
use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{
    checker::{Checker, Seen},
    client::Connection,
    figures::percentile,
    streams::{self, Wanted},
};

/// What the slow stream's callback sleeps after each frame.
const SLOW: Duration = Duration::from_millis(1);

/// Bytes of each payload of the slow stream: a window holds 64 of them, so that its sender soon waits for credit.
const SLOW_PAYLOAD: u32 = 4096;

/// Calls in a row, before the streams come or go again.
const CALLS_A_ROUND: usize = 250;

/// A round of calls is not longer than this, however slow they are.
const MAX_ROUND: Duration = Duration::from_secs(5);

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Isolation {
    /// How often each is measured; what is compared takes turns.
    pub repetitions: usize,
    /// Streams on the connection, one of which is slow in half of the runs.
    pub streams: usize,
    /// Frames of each fast stream: just the text.
    pub count: u32,
    /// Frames of the one that may be slow, of 4 KiB; it should have enough to outlast the others.
    pub slow_count: u32,
    /// Streams that take all they can get while calls are measured.
    pub busy_streams: usize,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    slow_stream: SlowStream,
    calls: Calls,
}

/// The fast streams with a slow one beside them, and without.
#[derive(Debug, Serialize)]
struct SlowStream {
    repetitions: usize,
    streams: usize,
    count: u32,
    slow_count: u32,
    /// Frames per second of all streams but the last: the median where the last is fast too.
    frames_per_s_without: f64,
    /// The same where it is slow.
    frames_per_s_with: f64,
    /// The median of the ratios within a repetition.
    ratio: f64,
    /// In how many repetitions the slow stream was there until the others were through.
    outlasted: usize,
    /// What the slow stream took to its end: the median.
    slow_seconds: f64,
    /// Frames of the slow stream that never came, in all repetitions.
    lost: u64,
    /// Its frames that came out of order or broken.
    order_errors: u64,
}

/// Calls one after another on a connection.
#[derive(Debug, Serialize)]
struct Calls {
    idle: Latency,
    among_streams: Latency,
    streams: usize,
    /// Frames per second of all streams while calls were made among them: the median.
    frames_per_s: f64,
    order_errors: u64,
}

#[derive(Debug, Serialize)]
struct Latency {
    calls: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Latency {
    fn of(milliseconds: Vec<f64>) -> Self {
        let sorted = sorted(milliseconds);
        Self {
            calls: sorted.len(),
            p50_ms: percentile(&sorted, 0.5),
            p99_ms: percentile(&sorted, 0.99),
            max_ms: percentile(&sorted, 1.0),
        }
    }
}

impl Isolation {
    /// Measures against a live server of this type.
    ///
    /// # Errors
    /// When there is none, it refuses a stream, or a fast stream is not through.
    pub async fn run(&self, actr: &ActrRef, server_type: &ActrType) -> Result<Report> {
        ensure!(self.repetitions > 0, "at least one repetition is needed");
        ensure!(self.streams > 1, "at least two streams are needed");
        let ctx = actr.context();
        let server = ctx.discover(server_type).await?;
        let connection = Connection::shared(ctx, &server);
        // The connection is there, and whatever grows has grown.
        self.among_fast(&connection, "warm", None).await?;
        Ok(Report {
            slow_stream: self.slow_stream(&connection).await?,
            calls: self.calls(&connection).await?,
        })
    }

    async fn slow_stream(&self, connection: &Connection) -> Result<SlowStream> {
        let (mut with, mut without, mut ratios, mut seconds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut outlasted, mut lost, mut order_errors) = (0, 0, 0);
        for number in 0..self.repetitions {
            let mut rates = [0.0; 2];
            // The first one runs with what the other left behind, so they take turns.
            for is_slow in [number % 2 == 0, number % 2 != 0] {
                let run = format!("{}{number:03}", if is_slow { 's' } else { 'f' });
                let among = self.among_fast(connection, &run, is_slow.then_some(SLOW)).await?;
                rates[usize::from(is_slow)] = among.frames_per_s;
                if is_slow {
                    seconds.push(among.last_seconds);
                    outlasted += usize::from(among.outlasted);
                    lost += among.lost;
                    order_errors += among.order_errors;
                }
            }
            let [fast, slow] = rates;
            without.push(fast);
            with.push(slow);
            ratios.push(slow / fast);
        }
        Ok(SlowStream {
            repetitions: self.repetitions,
            streams: self.streams,
            count: self.count,
            slow_count: self.slow_count,
            frames_per_s_without: median(without).round(),
            frames_per_s_with: median(with).round(),
            ratio: median(ratios),
            outlasted,
            slow_seconds: median(seconds),
            lost,
            order_errors,
        })
    }

    /// All streams at once; the last has other frames than the rest, and a callback that may be slow.
    async fn among_fast(&self, connection: &Connection, run: &str, slow: Option<Duration>) -> Result<Among> {
        let mut wanted: Vec<_> = (1..self.streams)
            .map(|number| Wanted {
                connection: connection.clone(),
                stream_id: format!("{run}{number:04}"),
                count: self.count,
                payload: 0,
                slow: None,
            })
            .collect();
        wanted.push(Wanted {
            connection: connection.clone(),
            stream_id: format!("{run}slow"),
            count: self.slow_count,
            payload: SLOW_PAYLOAD,
            slow,
        });
        let outcome = streams::run(wanted).await?;
        let (last, fast) = outcome.seen.split_last().context("no streams")?;
        let mut end = outcome.begin;
        for seen in fast {
            let at = seen.done.get().context("a fast stream was not through")?;
            ensure!(seen.errors.load(Relaxed) == 0, "a fast stream was out of order");
            end = end.max(*at);
        }
        let last_end = last.done.get().copied();
        let frames = u64::from(self.count) * fast.len() as u64;
        Ok(Among {
            frames_per_s: frames as f64 / (end - outcome.begin).as_secs_f64(),
            outlasted: last_end.is_none_or(|at| at > end),
            last_seconds: (last_end.unwrap_or(outcome.end) - outcome.begin).as_secs_f64(),
            lost: u64::from(self.slow_count).saturating_sub(last.frames.load(Relaxed)),
            order_errors: last.errors.load(Relaxed),
        })
    }

    async fn calls(&self, connection: &Connection) -> Result<Calls> {
        let (mut idle, mut among_streams, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        let mut order_errors = 0;
        for number in 0..self.repetitions {
            idle.extend(call_one_after_another(connection, format!("i{number:03}")).await?);
            let busy = Busy::start(connection, number, self.busy_streams).await?;
            let (frames, begin) = (busy.frames(), Instant::now());
            among_streams.extend(call_one_after_another(connection, format!("b{number:03}")).await?);
            rates.push((busy.frames() - frames) as f64 / begin.elapsed().as_secs_f64());
            order_errors += busy.stop().await;
        }
        Ok(Calls {
            idle: Latency::of(idle),
            among_streams: Latency::of(among_streams),
            streams: self.busy_streams,
            frames_per_s: median(rates).round(),
            order_errors,
        })
    }
}

/// One run of fast streams and one other.
struct Among {
    /// Of the fast ones.
    frames_per_s: f64,
    /// The other was not through before them.
    outlasted: bool,
    last_seconds: f64,
    lost: u64,
    order_errors: u64,
}

/// The milliseconds that each of a round of calls took: registrations of empty streams, the smallest call that the
/// server takes. They are made in a task, as an actor's are: the program's main thread would have to wait for a
/// processor each time that it is woken, which says little about the connection where there are two.
async fn call_one_after_another(connection: &Connection, round: String) -> Result<Vec<f64>> {
    let connection = connection.clone();
    let calls = tokio::spawn(async move {
        let mut milliseconds = Vec::new();
        let round_begin = Instant::now();
        while milliseconds.len() < CALLS_A_ROUND && round_begin.elapsed() < MAX_ROUND {
            let stream_id = format!("{round}{:04}", milliseconds.len());
            let begin = Instant::now();
            connection.request(stream_id, 0, 0).await?;
            milliseconds.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        Ok(milliseconds)
    });
    calls.await?
}

/// Streams that would take hours, until they are stopped.
struct Busy {
    registrations: Vec<actr_lite::StreamRegistration>,
    seen: Vec<Arc<Seen>>,
}

impl Busy {
    /// All of them are asked for, and have their first frames.
    async fn start(connection: &Connection, number: usize, streams: usize) -> Result<Self> {
        let (mut registrations, mut seen) = (Vec::new(), Vec::new());
        let (done, _) = mpsc::unbounded_channel();
        for stream in 0..streams {
            let of_stream = Arc::<Seen>::default();
            let count = i32::MAX.unsigned_abs();
            let checker = Checker::new(count.into(), None, Arc::clone(&of_stream), done.clone());
            let stream_id = format!("busy{number:03}{stream:02}");
            registrations.push(connection.ask(stream_id, count, 0, checker).await?);
            seen.push(of_stream);
        }
        let begin = Instant::now();
        while seen.iter().any(|seen| seen.frames.load(Relaxed) == 0) {
            ensure!(
                begin.elapsed() < streams::IDLE,
                "a stream among the calls has not begun"
            );
            tokio::task::yield_now().await;
        }
        Ok(Self { registrations, seen })
    }

    fn frames(&self) -> u64 {
        self.seen.iter().map(|seen| seen.frames.load(Relaxed)).sum()
    }

    /// Stops them all; the frames that were out of order or broken.
    async fn stop(self) -> u64 {
        for mut registration in self.registrations {
            registration.unregister();
            registration.ended().await;
        }
        self.seen.iter().map(|seen| seen.errors.load(Relaxed)).sum()
    }
}

fn sorted(mut figures: Vec<f64>) -> Vec<f64> {
    figures.sort_by(f64::total_cmp);
    figures
}

fn median(figures: Vec<f64>) -> f64 {
    percentile(&sorted(figures), 0.5)
}
