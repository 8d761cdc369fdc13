use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileTypeExt as _,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

/// How long the writer of a pipe may take: enough for a command that asks a server for a secret.
const PIPE_TIMEOUT: Duration = Duration::from_secs(10);

/// The folders with the descriptors that a process has.
const DESCRIPTORS: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

const STDIN: &str = "/dev/stdin";

/// Whether the path is that of a descriptor of this process, and that is a pipe: whoever started it gave it.
pub(crate) fn is_given(path: &Path) -> io::Result<bool> {
    let is_descriptor = DESCRIPTORS
        .iter()
        .any(|folder| path.parent() == Some(Path::new(folder)));
    if !is_descriptor && path != Path::new(STDIN) {
        return Ok(false);
    }
    Ok(fs::metadata(path)?.file_type().is_fifo())
}

/// What is read of a pipe until a deadline.
#[derive(Debug)]
pub(crate) struct Pipe {
    file: File,
    deadline: Instant,
}

impl Pipe {
    pub(crate) fn new(file: File) -> Self {
        Self::with_timeout(file, PIPE_TIMEOUT)
    }

    pub(crate) fn with_timeout(file: File, timeout: Duration) -> Self {
        Self {
            file,
            deadline: Instant::now() + timeout,
        }
    }

    /// Waits until there is something to read, or the end.
    fn wait(&self) -> io::Result<()> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&left)) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!(
                    "the writer of this pipe did not end within {} s",
                    PIPE_TIMEOUT.as_secs()
                ),
            )),
            // A signal is no reason to wait longer: the deadline stays.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.wait()?;
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}
