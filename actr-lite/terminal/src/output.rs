use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::queue::{Batch, Queue};

/// How long the thread waits if the system says "try again": another program that shares the terminal has made it
/// non-blocking.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// An output that never blocks its users: a thread writes what is queued.
#[derive(Debug)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write.
    work: Condvar,
    /// All is written.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    is_writing: bool,
    /// There is no writer: the thread could not be started.
    has_no_writer: bool,
}

impl Output {
    /// Writes to `sink` from a thread of its own. If the system has no thread left, callers write themselves.
    pub(crate) fn new(name: &str, mut sink: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let writer = Arc::clone(&shared);
        let thread = thread::Builder::new().name(name.into());
        if thread.spawn(move || writer.write_to(&mut sink)).is_err() {
            shared.lock().has_no_writer = true;
        }
        Self(shared)
    }

    /// Changes what waits to be written. It does not wait, and does not fail.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut state = self.0.lock();
        change(&mut state.queue);
        if state.has_no_writer {
            drop(state);
            self.0.write_once(&mut io::stderr());
            return;
        }
        drop(state);
        self.0.work.notify_one();
    }

    /// Waits until everything is written, at most for `bound`; returns whether it is.
    pub(crate) fn flush(&self, bound: Duration) -> bool {
        let until = Instant::now() + bound;
        let mut state = self.0.lock();
        while state.is_writing || !state.queue.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.done.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread's life: as long as the program's.
    fn write_to(&self, sink: &mut impl Write) {
        loop {
            if !self.write_once(sink) {
                let state = self.lock();
                let waited = self.work.wait_while(state, |state| state.queue.is_empty());
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Writes what is queued; returns whether there was something.
    fn write_once(&self, sink: &mut impl Write) -> bool {
        let batch = {
            let mut state = self.lock();
            let batch = state.queue.take();
            state.is_writing = batch.is_some();
            batch
        };
        if let Some(batch) = &batch {
            let written = write_all(sink, batch);
            let mut state = self.lock();
            match written {
                Ok(()) => state.queue.written(),
                Err(len) => state.queue.failed(batch, len),
            }
            state.is_writing = false;
        }
        self.done.notify_all();
        batch.is_some()
    }
}

/// Writes a batch; the error says how far it came.
fn write_all(sink: &mut impl Write, batch: &Batch) -> Result<(), usize> {
    let mut written = 0;
    while let Some(rest) = batch.text.get(written..).filter(|rest| !rest.is_empty()) {
        match sink.write(rest) {
            Ok(0) => return Err(written),
            Ok(len) => written += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
            Err(_) => return Err(written),
        }
    }
    sink.flush().map_err(|_| written)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, PipeReader, Read as _, pipe};

    use super::*;
    use crate::queue::MAX_QUEUED_BYTES;

    const LONG: Duration = Duration::from_secs(60);

    fn piped() -> (Output, PipeReader) {
        let (reader, writer) = pipe().unwrap();
        (Output::new("test", writer), reader)
    }

    /// Reads until `end` has come.
    fn read_to(reader: &mut PipeReader, end: &str) -> String {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&text).ends_with(end) {
            let len = reader.read(&mut buffer).unwrap();
            assert!(len > 0, "ended without {end:?}");
            text.extend_from_slice(&buffer[..len]);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (output, mut reader) = piped();
        for number in 0..1000 {
            output.change(|queue| queue.push(format!("line {number}\n").as_bytes()));
        }
        assert!(output.flush(LONG));
        let expected: String = (0..1000).map(|number| format!("line {number}\n")).collect();
        assert_eq!(read_to(&mut reader, "line 999\n"), expected);
    }

    #[test]
    fn a_reader_that_stands_still_keeps_nobody_waiting() {
        let (output, reader) = piped();
        let line = "x".repeat(1023) + "\n";
        let many = 4 * MAX_QUEUED_BYTES / line.len();
        for _ in 0..many {
            output.change(|queue| queue.push(line.as_bytes()));
        }
        assert!(!output.flush(Duration::from_millis(50)), "the pipe is full");
        // Now it reads again. A writer that was late has dropped some more than once.
        let (mut kept, mut missing) = (0, 0);
        for text in BufReader::new(reader).lines() {
            let text = text.unwrap();
            match text.strip_prefix('(') {
                Some(notice) => missing += notice.split(' ').next().unwrap().parse::<usize>().unwrap(),
                None => {
                    assert_eq!(text, line.trim_end());
                    kept += 1;
                }
            }
            if kept + missing >= many {
                break;
            }
        }
        assert_eq!(kept + missing, many);
        assert!(missing > 0, "all fitted");
    }

    #[test]
    fn a_reader_that_is_gone_is_no_failure() {
        let (output, reader) = piped();
        drop(reader);
        for _ in 0..100 {
            output.change(|queue| queue.push(b"nobody sees this\n"));
            assert!(output.flush(LONG));
        }
    }
}
