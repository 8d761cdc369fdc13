//! What a client's log says of its stream: the frames it was given (with `-v`, or if there are few), and the breaks.

use std::time::{Duration, Instant};

use programs::{Line, Process};

/// What it says for each frame that its callback was given; the frame's number follows.
const FRAME: &str = "Received: [server] Stream message ";

/// What it says when its stream breaks off; the number of the last frame that came follows.
const BREAK: &str = "INFO stopped after frame ";

/// The numbers of the frames that a client's log names, in its order.
pub fn received(log: &str) -> Vec<u64> {
    log.lines().filter_map(|line| number_after(FRAME, line)).collect()
}

/// Waits until a client whose stream has broken this many times gets the next frame. Returns when that was.
///
/// # Panics
/// If the client ends before that, or `bound` has passed.
#[track_caller]
pub fn wait_for_recovery(client: &Process, breaks: usize, bound: Duration) -> Instant {
    let wait = |pattern: &str, times| match client.output().wait_for_nth(pattern, times, bound) {
        Ok(line) => line,
        Err(error) => panic!("the client {error}"),
    };
    let line = wait(BREAK, breaks);
    let Some(last) = number_after(BREAK, &line.text) else {
        panic!("no number in {line:?}")
    };
    wait(&format!("{FRAME}{} ", last + 1), 1).read
}

/// When a client's stream broke off, and when the client was given the next frame, for each time that it was.
///
/// A stream that breaks off again before a frame has come is broken since the first time.
pub fn recoveries(client: &Process) -> Vec<(Instant, Instant)> {
    let mut broken: Option<(u64, Instant)> = None;
    let mut recoveries = Vec::new();
    for Line { text, read, .. } in client.output().lines() {
        if let Some(last) = number_after(BREAK, &text) {
            broken.get_or_insert((last, read));
        } else if number_after(FRAME, &text).is_some_and(|number| broken.is_some_and(|(last, _)| number > last)) {
            recoveries.extend(broken.take().map(|(_, since)| (since, read)));
        }
    }
    recoveries
}

fn number_after(before: &str, line: &str) -> Option<u64> {
    line.split_once(before)?.1.split_whitespace().next()?.parse().ok()
}
