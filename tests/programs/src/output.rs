//! The lines that a program prints, to be waited for.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;

/// Where a line was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line that a program printed.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where.
    pub source: Source,
    /// How long after the program's start it was read.
    pub at: Duration,
    /// When it was read.
    pub read: Instant,
    /// The text, without the newline.
    pub text: String,
}

/// Everything that a program has printed so far.
#[derive(Debug)]
pub struct Output {
    state: Mutex<State>,
    changed: Condvar,
    start: Instant,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    /// How many of the two pipes are open still.
    open: usize,
}

impl Output {
    /// Reads both pipes to their ends, each on a thread of its own; `watch` sees every line as it comes.
    pub(crate) fn of(
        stdout: impl Read + Send + 'static,
        stderr: impl Read + Send + 'static,
        watch: impl Fn(&Line) + Clone + Send + 'static,
    ) -> Arc<Self> {
        let output = Arc::new(Self {
            state: Mutex::new(State {
                lines: Vec::new(),
                open: 2,
            }),
            changed: Condvar::new(),
            start: Instant::now(),
        });
        let (first, second, other_watch) = (output.clone(), output.clone(), watch.clone());
        thread::spawn(move || first.read(Source::Stdout, stdout, watch));
        thread::spawn(move || second.read(Source::Stderr, stderr, other_watch));
        output
    }

    fn read(&self, source: Source, pipe: impl Read, watch: impl Fn(&Line)) {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|len| len > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
            bytes.clear();
            let read = Instant::now();
            let line = Line {
                source,
                at: read - self.start,
                read,
                text,
            };
            watch(&line);
            self.lock().lines.push(line);
            self.changed.notify_all();
        }
        self.lock().open -= 1;
        self.changed.notify_all();
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lock().lines.clone()
    }

    /// Waits for a line that contains `pattern`, in what was printed before the call as well as after it.
    ///
    /// # Errors
    /// If the program ends without one, or `bound` has passed.
    pub fn wait_for(&self, pattern: &str, bound: Duration) -> anyhow::Result<Line> {
        self.wait_for_nth(pattern, 1, bound)
    }

    /// The same, for the line that is the `number`th one with `pattern`, from 1.
    ///
    /// # Errors
    /// As [`Self::wait_for`] fails.
    pub fn wait_for_nth(&self, pattern: &str, number: usize, bound: Duration) -> anyhow::Result<Line> {
        let deadline = Instant::now() + bound;
        let mut state = self.lock();
        let (mut searched, mut left_to_find) = (0, number.max(1));
        loop {
            let new = state.lines.iter().skip(searched);
            for line in new.filter(|line| line.text.contains(pattern)) {
                left_to_find -= 1;
                if left_to_find == 0 {
                    return Ok(line.clone());
                }
            }
            searched = state.lines.len();
            if state.open == 0 {
                bail!("ended without a line that contains {pattern:?}");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("printed no line that contains {pattern:?} within {bound:?}");
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until nothing more can come: the program, and processes that inherited its pipes, have closed them.
    pub fn wait_for_end(&self, bound: Duration) {
        let ended = self
            .changed
            .wait_timeout_while(self.lock(), bound, |state| state.open > 0);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, empty};

    use super::*;

    const BOUND: Duration = Duration::from_secs(30);

    #[test]
    fn a_line_is_found_whenever_it_was_printed() {
        let output = Output::of(Cursor::new("one\ntwo\n"), empty(), |_| ());
        assert_eq!(output.wait_for("wo", BOUND).unwrap().text, "two");
        assert_eq!(output.wait_for("one", BOUND).unwrap().source, Source::Stdout);
        assert_eq!(output.wait_for_nth("o", 2, BOUND).unwrap().text, "two");
    }

    #[test]
    fn the_end_of_the_output_ends_the_wait() {
        let output = Output::of(empty(), Cursor::new("last words"), |_| ());
        assert!(output.wait_for_nth("words", 2, BOUND).is_err());
        let error = output.wait_for("something else", BOUND).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ended without a line that contains \"something else\""
        );
        assert_eq!(output.lines()[0].text, "last words");
    }
}
