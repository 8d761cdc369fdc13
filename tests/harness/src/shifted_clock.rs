//! A wall clock that a test can set, for one program.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use programs::{CommandLine, Launch};
use tempfile::TempDir;

use crate::deployment::checkout;

/// The source of what is loaded into the program.
const SHIM: &str = "tests/harness/shims/shifted_clock.c";

/// How far a wall clock jumps in the tests: further than a credential is valid.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A wall clock for one or more programs, which shows the system's time until it is shifted.
///
/// The program has to be linked with the system's C library dynamically, as Rust programs are on Linux.
#[derive(Debug)]
pub struct ShiftedClock {
    directory: TempDir,
}

impl ShiftedClock {
    /// The system's time.
    ///
    /// # Panics
    /// If the shim can't be compiled, with what the compiler says.
    #[allow(clippy::new_without_default, reason = "it makes a directory and may run a compiler")]
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let clock = Self { directory };
        clock.write(0);
        clock
    }

    /// Sets the wall clock ahead of the system's by this much, at once.
    pub fn ahead(&self, by: Duration) {
        self.write(seconds(by));
    }

    /// Sets the wall clock behind the system's by this much, at once.
    pub fn behind(&self, by: Duration) {
        self.write(-seconds(by));
    }

    /// Gives the wall clock to a program before it starts.
    #[must_use]
    pub fn given_to(&self, launch: Launch) -> Launch {
        launch.env("LD_PRELOAD", shim()).env("SHIFTED_CLOCK", self.file())
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("offset")
    }

    /// Written in place: programs have the file mapped.
    fn write(&self, seconds: i64) {
        let written = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(self.file())
            .and_then(|mut file| file.write_all(&seconds.to_ne_bytes()));
        written.unwrap_or_else(|error| panic!("a clock can't be set: {error}"));
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// The compiled shim; the first call in a process compiles it.
fn shim() -> &'static Path {
    static COMPILED: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = COMPILED.get_or_init(|| {
        let directory = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let library = directory.path().join("libshifted_clock.so");
        // Rust links with a C compiler, so there is one where these tests were built.
        let mut command = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library);
        command.arg(checkout().path(SHIM));
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", CommandLine(&command)));
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}: {}\n{complaints}",
            CommandLine(&command),
            output.status
        );
        (directory, library)
    });
    library
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_the_calendar_that_it_is_given() {
        let clock = ShiftedClock::new();
        let date = |clock: &ShiftedClock| -> i64 {
            let launch = clock.given_to(Launch::new("date", Path::new("/bin/date")).arg("+%s"));
            launch.run().stdout.trim().parse().unwrap()
        };
        let before = date(&clock);
        clock.ahead(DAY);
        assert!((86_400..86_500).contains(&(date(&clock) - before)));
        clock.behind(DAY);
        assert!((-86_400..-86_300).contains(&(date(&clock) - before)));
    }
}
