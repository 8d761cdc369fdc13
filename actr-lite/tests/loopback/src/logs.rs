use std::{
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use actr_lite::ActrRef;
use tracing_subscriber::fmt::{MakeWriter as _, writer::MutexGuardWriter};

use crate::harness::deadline::until;

/// The warnings of all tests of this program.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn logged() -> MutexGuard<'static, Vec<u8>> {
    LOGGED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many of them came from a thread that was unwinding. One that can't be written would end the process.
static LOGGED_UNWINDING: AtomicUsize = AtomicUsize::new(0);

/// Where warnings go.
fn writer() -> MutexGuardWriter<'static, Vec<u8>> {
    LOGGED_UNWINDING.fetch_add(usize::from(thread::panicking()), Ordering::SeqCst);
    LOGGED.make_writer()
}

/// How many warnings were written while a panic unwound.
pub(crate) fn count_while_unwinding() -> usize {
    LOGGED_UNWINDING.load(Ordering::SeqCst)
}

/// Keeps the warnings from now on; to be called before a node starts.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
        subscriber.with_ansi(false).with_writer(writer).init();
    });
}

/// Where the log stands.
pub(crate) fn position() -> usize {
    logged().len()
}

/// All from this position on.
pub(crate) fn since(from: usize) -> String {
    String::from_utf8_lossy(&logged()[from..]).into_owned()
}

/// The warnings about this peer from this position on: the system gives ports to others later.
pub(crate) fn about(peer: &str, from: usize) -> Vec<String> {
    naming(&format!(" from {peer}: "), from)
}

/// The warnings from this position on that contain this.
pub(crate) fn naming(pattern: &str, from: usize) -> Vec<String> {
    let logged = logged();
    let text = String::from_utf8_lossy(&logged[from..]);
    let lines = text.lines().filter(|line| line.contains(pattern));
    lines.map(str::to_owned).collect()
}

/// What a node has complained about so far.
pub(crate) struct Told<'a> {
    node: &'a ActrRef,
    total: u64,
    position: usize,
}

impl<'a> Told<'a> {
    pub(crate) fn nothing(node: &'a ActrRef) -> Self {
        Self {
            node,
            total: 0,
            position: position(),
        }
    }

    /// That one more was counted since the last time, and that one line tells of it.
    pub(crate) async fn assert_one_more(&mut self, peer: &str, what: &str) {
        self.total += 1;
        // What is answered may be counted only then.
        until(|| async {
            let is_told = self.node.misbehaviour().total() >= self.total && !about(peer, self.position).is_empty();
            is_told.then_some(())
        })
        .await;
        let misbehaviour = self.node.misbehaviour();
        assert_eq!(misbehaviour.total(), self.total, "{what}: {misbehaviour}");
        let lines = about(peer, self.position);
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        self.position = position();
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

/// After this many complaints a node is silent for a while: tests with more cases use another one.
pub(crate) const TOLD_PER_NODE: usize = actr_lite_wire::log_limit::LINES_PER_WINDOW as usize;
