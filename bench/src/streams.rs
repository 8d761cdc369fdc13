//! Streams that run at once, until all of them are through.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use crate::{
    checker::{Checker, Seen},
    client::Connection,
};

/// After this long without a frame, what is missing counts as lost.
pub const IDLE: Duration = Duration::from_secs(10);

/// How often it is looked whether frames still come.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What to ask for as one stream.
#[derive(Clone)]
pub struct Wanted {
    /// Over which connection.
    pub connection: Connection,
    /// A name that no other stream of the node has at the time.
    pub stream_id: String,
    /// Frames.
    pub count: u32,
    /// Bytes of each payload; 0: just the text.
    pub payload: u32,
    /// What the callback sleeps after each frame.
    pub slow: Option<Duration>,
}

/// What came.
pub struct Outcome {
    /// When the first was asked for.
    pub begin: Instant,
    /// When the last frame came.
    pub end: Instant,
    /// What came of each, in the order in which they were wanted.
    pub seen: Vec<Arc<Seen>>,
}

/// Asks for all streams at once, and waits until they are through or no frame has come for [`IDLE`].
///
/// # Errors
/// When the server refuses one, or is gone.
pub async fn run(wanted: Vec<Wanted>) -> Result<Outcome> {
    let seen: Vec<Arc<Seen>> = wanted.iter().map(|_| Arc::default()).collect();
    let mut open = wanted.len();
    let (done, mut finished) = mpsc::unbounded_channel();
    let begin = Instant::now();
    let mut requests = JoinSet::new();
    for (stream, seen) in wanted.into_iter().zip(&seen) {
        let checker = Checker::new(stream.count.into(), stream.slow, Arc::clone(seen), done.clone());
        requests.spawn(async move {
            let Wanted {
                connection,
                stream_id,
                count,
                payload,
                ..
            } = stream;
            connection.ask(stream_id, count, payload, checker).await
        });
    }
    // Dropping one would end its stream.
    let mut registrations = Vec::new();
    let (mut end, mut before) = (begin, (0, Instant::now()));
    while open > 0 {
        tokio::select! {
            Some(at) = finished.recv() => {
                open -= 1;
                end = end.max(at);
            }
            Some(request) = requests.join_next() => registrations.push(request??),
            () = sleep(LOOK_EVERY) => {
                let frames = seen.iter().map(|seen| seen.frames.load(Relaxed)).sum();
                if frames != before.0 {
                    before = (frames, Instant::now());
                    end = before.1;
                } else if before.1.elapsed() > IDLE {
                    break;
                }
            }
        }
    }
    Ok(Outcome { begin, end, seen })
}
