//! What waits to be written, and what of it is dropped.

use tracing::Level;

use crate::log_format::LogFormat;

/// How much text may wait for a reader that is slow or stalled: some ten thousand lines, and no burden for a program.
/// As much again may be on its way to the system.
pub(crate) const MAX_QUEUED_BYTES: usize = 1 << 20;

/// Goes to the beginning of the line, and clears it.
const CLEAR_LINE: &str = "\r\x1b[2K";

/// Lines that wait to be written, and a status below them of which only the newest text is shown.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    text: Vec<u8>,
    /// How many lines `text` has, those that a notice in it stands for among them.
    lines: u64,
    /// How many lines were dropped, or could not be written, and not reported yet.
    dropped: u64,
    /// Drops can be reported at once, because nothing is known to block the output.
    is_writable: bool,
    status: Option<String>,
    is_status_new: bool,
    /// A status is at the end of what was written.
    is_status_shown: bool,
    /// The last line has come.
    is_closed: bool,
    format: LogFormat,
}

/// What is to be written next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) text: Vec<u8>,
    lines: u64,
}

impl Queue {
    /// How what is said looks from now on.
    pub(crate) fn set_format(&mut self, format: LogFormat) {
        self.format = format;
    }

    /// Adds a line that is no log line; `prefix` is for people.
    pub(crate) fn say(&mut self, level: Level, prefix: &str, text: &str) {
        self.push(self.format.line(level, prefix, text).as_bytes());
    }

    /// Adds lines, each with its end, or counts them as dropped.
    pub(crate) fn push(&mut self, lines: &[u8]) {
        if self.is_closed {
            return;
        }
        let count = count_lines(lines);
        if self.text.len() + lines.len() > MAX_QUEUED_BYTES {
            self.dropped += count;
            return;
        }
        self.push_notice();
        self.text.extend_from_slice(lines);
        self.lines += count;
    }

    /// Whatever comes later is dropped, and not counted.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Replaces the status.
    pub(crate) fn set_status(&mut self, status: Option<String>) {
        self.is_status_new = status.is_some() || self.is_status_shown;
        self.status = status;
    }

    /// What is to be written next; `None` if there is nothing.
    pub(crate) fn take(&mut self) -> Option<Batch> {
        if self.is_writable {
            self.push_notice();
        }
        if self.text.is_empty() && !self.is_status_new {
            return None;
        }
        let mut batch = Batch {
            text: Vec::new(),
            lines: std::mem::take(&mut self.lines),
        };
        if self.is_status_shown {
            batch.text.extend_from_slice(CLEAR_LINE.as_bytes());
            batch.text.append(&mut self.text);
        } else {
            batch.text = std::mem::take(&mut self.text);
        }
        if let Some(status) = &self.status {
            batch.text.extend_from_slice(status.as_bytes());
        }
        self.is_status_shown = self.status.is_some();
        self.is_status_new = false;
        Some(batch)
    }

    /// A batch was written.
    pub(crate) fn written(&mut self) {
        self.is_writable = true;
    }

    /// A batch was written up to `len` bytes, and the rest can't be.
    pub(crate) fn failed(&mut self, batch: &Batch, len: usize) {
        self.is_writable = false;
        let written = count_lines(batch.text.get(..len).unwrap_or_default());
        self.dropped += batch.lines.saturating_sub(written);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.is_status_new
    }

    fn push_notice(&mut self) {
        if self.dropped == 0 {
            return;
        }
        let notice = format!("({} lines are missing here: nobody read them)", self.dropped);
        let notice = self.format.line(Level::WARN, "", &notice);
        self.text.extend_from_slice(notice.as_bytes());
        self.lines += std::mem::take(&mut self.dropped);
    }
}

fn count_lines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn text(queue: &mut Queue) -> String {
        let batch = queue.take().expect("something to write");
        queue.written();
        String::from_utf8(batch.text).unwrap()
    }

    #[test]
    fn what_has_no_room_is_dropped_and_said_behind_what_had() {
        let mut queue = Queue::default();
        let long = vec![b'x'; MAX_QUEUED_BYTES - 1];
        queue.push(&[&long[..], b"\n"].concat());
        queue.push(b"lost\n");
        queue.push(b"lost too\n");
        assert_eq!(queue.take().unwrap().text.len(), MAX_QUEUED_BYTES);
        queue.written();
        assert_eq!(text(&mut queue), "(2 lines are missing here: nobody read them)\n");
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_cannot_be_written_is_said_before_the_next_line() {
        let mut queue = Queue::default();
        queue.push(b"one\ntwo\n");
        let batch = queue.take().unwrap();
        queue.failed(&batch, 4);
        assert_eq!(queue.take(), None, "nothing is tried without a new line");
        queue.push(b"three\n");
        let batch = queue.take().unwrap();
        assert_eq!(batch.text, b"(1 lines are missing here: nobody read them)\nthree\n");
        queue.failed(&batch, 0);
        queue.push(b"four\n");
        assert_eq!(text(&mut queue), "(2 lines are missing here: nobody read them)\nfour\n");
    }

    #[test]
    fn nothing_comes_after_the_last_line() {
        let mut queue = Queue::default();
        queue.push(b"a log line\n");
        queue.say(Level::ERROR, "error: ", "it failed");
        queue.close();
        queue.push(b"a task that nobody waits for\n");
        assert_eq!(text(&mut queue), "a log line\nerror: it failed\n");
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn lines_stand_above_the_status() {
        let mut queue = Queue::default();
        queue.set_status(Some("50 %".into()));
        assert_eq!(text(&mut queue), "50 %");
        queue.push(b"a line\n");
        assert_eq!(text(&mut queue), "\r\x1b[2Ka line\n50 %");
        queue.set_status(None);
        assert_eq!(text(&mut queue), "\r\x1b[2K");
        queue.push(b"the end\n");
        assert_eq!(text(&mut queue), "the end\n");
    }

    #[test]
    fn of_many_statuses_only_the_last_waits() {
        let mut queue = Queue::default();
        for percent in 0..100 {
            queue.set_status(Some(format!("{percent} %")));
        }
        assert_eq!(text(&mut queue), "99 %");
        queue.set_status(Some("100 %".into()));
        queue.set_status(None);
        assert_eq!(text(&mut queue), "\r\x1b[2K");
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Write,
        Fail,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (1..=16usize).prop_map(|sixteenths| Step::Push(sixteenths * MAX_QUEUED_BYTES / 32)),
            1 => Just(Step::Write),
            1 => Just(Step::Fail),
        ]
    }

    proptest! {
        // Each case moves megabytes.
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_line_is_written_or_counted(steps in vec(step(), 0..40)) {
            let mut queue = Queue::default();
            let (mut pushed, mut told) = (0, 0);
            let mut count = |batch: &Batch| {
                for line in String::from_utf8_lossy(&batch.text).lines() {
                    told += match line.strip_prefix('(').and_then(|rest| rest.split_once(" lines are missing")) {
                        Some((missing, _)) => missing.parse::<u64>().unwrap(),
                        None => 1,
                    };
                }
            };
            for step in steps {
                match step {
                    Step::Push(len) => {
                        queue.push(&[&vec![b'x'; len - 1][..], b"\n"].concat());
                        pushed += 1;
                        prop_assert!(queue.text.len() <= MAX_QUEUED_BYTES + 100);
                    }
                    Step::Write => if let Some(batch) = queue.take() {
                        count(&batch);
                        queue.written();
                    },
                    Step::Fail => if let Some(batch) = queue.take() {
                        queue.failed(&batch, 0);
                    },
                }
            }
            queue.push(b"last\n");
            while let Some(batch) = queue.take() {
                count(&batch);
                queue.written();
            }
            prop_assert_eq!(told, pushed + 1);
        }
    }
}
