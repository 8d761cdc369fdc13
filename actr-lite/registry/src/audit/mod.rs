//! What a registry has granted and refused, for those who look into it later: one JSON object a line, in a file that is only
//! appended to.
//!
//! - `event`: what is noted
//! - `rotating_file`: the file, and how much of the disk it takes
//!
//! A thread writes it. Who notes something never waits for the disk: what does not fit into the queue is left out, and
//! counted in the file and in the log.

mod event;
mod rotating_file;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use actr_lite_clock::Clock;
use actr_lite_net::source::Source;
use actr_lite_wire::rate_limit::{Rate, RateLimit};
use thiserror::Error;
use tokio::{sync::oneshot, time::timeout};
use tracing::{info, warn};

pub(crate) use event::{Description, Event, Registered};

use event::Line;
use rotating_file::RotatingFile;

/// How many lines may wait for the disk: at 2 KiB, which few have, 8 MiB.
const MAX_WAITING: usize = 4096;

/// How much is written at a time.
const BATCH_BYTES: usize = 64 << 10;

/// How long what was left out may stay unmentioned, if nothing else is noted.
const OMITTED_WITHIN: Duration = Duration::from_secs(5);

/// How long a file that can't be written is left alone.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How long the end of a registry waits for the disk.
const FINISH_TIMEOUT: Duration = Duration::from_secs(1);

/// Refusals from one address: enough to see what somebody tries, and few enough that nobody makes old lines fall out of the
/// file by being refused.
const REFUSALS: Rate = Rate {
    burst: 100,
    per_second: 1,
};

/// The audit log can't be opened.
#[derive(Debug, Error)]
#[error(
    "the registry's audit log {path}: {error}; name a file that this program may write and no other registry uses, or \
     leave it out"
)]
pub struct AuditError {
    path: String,
    error: io::Error,
}

/// The audit log of a registry, or nothing at all if it has none.
pub(crate) struct AuditLog {
    writer: Option<Writer>,
}

struct Writer {
    clock: Clock,
    lines: Mutex<Option<SyncSender<Vec<u8>>>>,
    finished: Mutex<Option<oneshot::Receiver<()>>>,
    omitted: Arc<Omitted>,
    refusals: Mutex<RateLimit<Source>>,
}

/// What was left out since it was mentioned last.
#[derive(Default)]
struct Omitted {
    /// Lines that found no room in the queue, or could not be written.
    lost: AtomicU64,
    /// Refusals from addresses that were refused often.
    refusals: AtomicU64,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> AuditError {
    move |error| AuditError {
        path: path.display().to_string(),
        error,
    }
}

impl AuditLog {
    /// Opens the file, and starts the thread that writes it; without a path there is no audit log.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, AuditError> {
        let Some(path) = path else {
            return Ok(Self { writer: None });
        };
        let failed = failed(path);
        let file = RotatingFile::open(path).map_err(&failed)?;
        let (sender, lines) = sync_channel(MAX_WAITING);
        let (finish, finished) = oneshot::channel();
        let omitted = Arc::<Omitted>::default();
        let thread_omitted = Arc::clone(&omitted);
        let write = move || {
            write_lines(file, &lines, &thread_omitted);
            // Nobody may wait for it.
            let _ = finish.send(());
        };
        let builder = thread::Builder::new().name("registry-audit".into());
        builder.spawn(write).map_err(&failed)?;
        Ok(Self {
            writer: Some(Writer {
                clock: Clock::start(),
                lines: Mutex::new(Some(sender)),
                finished: Mutex::new(Some(finished)),
                omitted,
                refusals: Mutex::new(RateLimit::new(REFUSALS)),
            }),
        })
    }

    /// Whether the file can be opened, or made if it is not there. Nothing is made here.
    ///
    /// # Errors
    /// When it can't.
    pub(crate) fn check(path: &Path) -> Result<(), AuditError> {
        RotatingFile::check(path).map_err(failed(path))
    }

    /// Whether there is one, so that an event is worth the trouble.
    pub(crate) fn is_on(&self) -> bool {
        self.writer.is_some()
    }

    /// Notes an event.
    pub(crate) fn note(&self, event: &Event<'_>) {
        if let Some(writer) = &self.writer {
            writer.note(event);
        }
    }

    /// Notes that somebody was refused; of those who are refused again and again not each time.
    pub(crate) fn note_refusal(&self, from: Source, event: &Event<'_>) {
        let Some(writer) = &self.writer else { return };
        let taken = lock(&writer.refusals).take(from, writer.clock.now());
        match taken {
            Ok(()) => writer.note(event),
            Err(_) => {
                writer.omitted.refusals.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Notes a registration; and that it takes over a type from these realms.
    pub(crate) fn note_registration(&self, registered: &Registered, taken_from: Option<&[u32]>) {
        let Some(writer) = &self.writer else { return };
        writer.note(&Event::Registered(registered));
        if let Some(held_by_realms) = taken_from {
            writer.note(&Event::TypeTakenOver {
                registered,
                held_by_realms,
            });
        }
    }

    /// Waits until all is written, a short while at most. Nothing is noted afterwards.
    pub(crate) async fn finish(&self) {
        let Some(writer) = &self.writer else { return };
        drop(lock(&writer.lines).take());
        let finished = lock(&writer.finished).take();
        if let Some(finished) = finished
            && timeout(FINISH_TIMEOUT, finished).await.is_err()
        {
            warn!("the end of the audit log is not written yet: the disk is slow");
        }
    }
}

impl Writer {
    fn note(&self, event: &Event<'_>) {
        let line = line_of(&self.clock, event);
        let sent = match lock(&self.lines).as_ref() {
            Some(lines) => lines.try_send(line).is_ok(),
            None => false,
        };
        if !sent {
            self.omitted.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn line_of(clock: &Clock, event: &Event<'_>) -> Vec<u8> {
    let line = Line {
        time: clock.timestamp().to_string(),
        event,
    };
    line.to_json().unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is in them is whole between two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what comes until nobody can send more.
fn write_lines(mut file: RotatingFile, lines: &Receiver<Vec<u8>>, omitted: &Omitted) {
    let clock = Clock::start();
    let mut retry_at = None;
    loop {
        let first = lines.recv_timeout(OMITTED_WITHIN);
        let is_over = matches!(first, Err(RecvTimeoutError::Disconnected));
        let mut count = 0;
        let mut batch = Vec::new();
        for line in first.into_iter().chain(std::iter::from_fn(|| lines.try_recv().ok())) {
            count += 1;
            batch.extend(line);
            if batch.len() >= BATCH_BYTES {
                break;
            }
        }
        if retry_at.is_some_and(|at| Instant::now() < at && !is_over) {
            omitted.lost.fetch_add(count, Ordering::Relaxed);
            continue;
        }
        let lost = omitted.lost.swap(0, Ordering::Relaxed);
        let refusals = omitted.refusals.swap(0, Ordering::Relaxed);
        if lost + refusals > 0 {
            let event = Event::Omitted {
                lost,
                repeated_refusals: refusals,
            };
            batch.extend(line_of(&clock, &event));
        }
        match file.append(&batch) {
            Ok(()) => {
                if retry_at.take().is_some() {
                    info!("the audit log is written again");
                }
                if lost > 0 {
                    warn!(
                        lost,
                        "{lost} events are missing in the audit log: they could not be written, or not as fast as they came"
                    );
                }
            }
            Err(error) => {
                omitted.lost.fetch_add(lost + count, Ordering::Relaxed);
                omitted.refusals.fetch_add(refusals, Ordering::Relaxed);
                if retry_at.is_none() {
                    warn!(reason = %error, "the audit log can't be written: {error}; events are missing in it until that is mended");
                }
                retry_at = Some(Instant::now() + RETRY_PAUSE);
            }
        }
        if is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, net::IpAddr};

    use serde_json::Value;
    use tempfile::TempDir;

    use super::*;

    fn read(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn refusal(reason: &str) -> Event<'_> {
        Event::RequestRefused {
            address: "192.0.2.1:5".parse().unwrap(),
            status: 403,
            reason: reason.into(),
        }
    }

    #[tokio::test]
    async fn a_line_is_one_object_whatever_a_peer_writes() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(Some(&path)).unwrap();
        log.note(&refusal("\"}\n{\"event\":\"registered\"}\u{1b}[2J"));
        log.note(&refusal(&"x".repeat(100_000)));
        log.finish().await;
        let lines = read(&path);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["event"], "request_refused");
        assert_eq!(lines[0]["address"], "192.0.2.1:5");
        assert!(lines[0]["time"].as_str().unwrap().ends_with('Z'));
        assert!(lines[1]["reason"].as_str().unwrap().len() < 1000);
    }

    #[tokio::test]
    async fn a_flood_of_refusals_is_counted_and_pushes_nothing_out() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(Some(&path)).unwrap();
        let from = |address: &str| Source::of(address.parse::<IpAddr>().unwrap());
        for _ in 0..10_000 {
            log.note_refusal(from("192.0.2.1"), &refusal("again"));
        }
        log.note_refusal(from("192.0.2.2"), &refusal("another"));
        log.finish().await;
        let lines = read(&path);
        let refusals = lines.iter().filter(|line| line["event"] == "request_refused").count();
        assert!((101..200).contains(&refusals), "{refusals}");
        let omitted: u64 = lines.iter().filter_map(|line| line["repeated_refusals"].as_u64()).sum();
        assert_eq!(refusals as u64 + omitted, 10_001);
        assert!(lines.iter().any(|line| line["reason"] == "another"));
    }

    #[tokio::test]
    async fn what_the_disk_does_not_take_is_counted_and_delays_nobody() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(Some(&path)).unwrap();
        for _ in 0..20 * MAX_WAITING {
            log.note(&refusal("fast"));
        }
        log.finish().await;
        let lines = read(&path);
        let written = lines.iter().filter(|line| line["reason"] == "fast").count() as u64;
        let lost: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
        assert_eq!(written + lost, 20 * MAX_WAITING as u64);
    }

    #[test]
    fn a_file_that_can_not_be_written_is_named() {
        let folder = TempDir::new().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("no/such/folder")] {
            let error = AuditLog::open(Some(&path)).err().unwrap().to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
        let path = folder.path().join("audit.jsonl");
        let _first = AuditLog::open(Some(&path)).unwrap();
        let error = AuditLog::open(Some(&path)).err().unwrap().to_string();
        assert!(error.contains("another program uses it"), "{error}");
    }
}
