//! A program that has ended.

use std::process::ExitStatus;

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All that it printed on standard output.
    pub stdout: String,
    /// All that it printed on standard error.
    pub stderr: String,
}

impl Finished {
    /// The exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The one line that says why it failed, which is the last on standard error.
    ///
    /// # Panics
    /// If it ended by a signal or with another exit code than 1, or there is no such line, or more than one.
    #[track_caller]
    pub fn error(&self) -> &str {
        assert_eq!(self.code(), Some(1), "{}", self.stderr);
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "one error in one line: {}", self.stderr);
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("error: "),
            "the error is not the last line: {}",
            self.stderr
        );
        last
    }

    /// That it failed, and that its error says all of this.
    ///
    /// # Panics
    /// If not.
    #[track_caller]
    pub fn assert_fails_with(&self, parts: &[&str]) {
        let error = self.error();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}
