//! A terminal whose other end a test holds.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::OwnedFd,
    process::Stdio,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// What a command runs under to have a terminal as its own: the one on its standard input.
pub const WITH_TERMINAL: (&str, &[&str]) = ("setsid", &["--ctty"]);

/// A terminal. Dropping it closes the window: programs that run in it get a SIGHUP.
#[derive(Debug)]
pub struct PseudoTerminal {
    window: File,
    inside: OwnedFd,
}

impl PseudoTerminal {
    /// A new one, with lines of this many characters.
    ///
    /// # Panics
    /// If the system has none.
    pub fn new(columns: u16) -> Self {
        Self::try_new(columns).unwrap_or_else(|error| panic!("no terminal: {error}"))
    }

    fn try_new(columns: u16) -> io::Result<Self> {
        let window = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&window)?;
        unlockpt(&window)?;
        let name = ptsname(&window, Vec::new())?;
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let inside = rustix::fs::open(name, flags, rustix::fs::Mode::empty())?;
        let size = Winsize {
            ws_row: 40,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&window, size)?;
        Ok(Self {
            window: window.into(),
            inside,
        })
    }

    /// For a program that is to run in it.
    ///
    /// # Panics
    /// If there are too many open files.
    pub fn stdio(&self) -> Stdio {
        match self.inside.try_clone() {
            Ok(inside) => inside.into(),
            Err(error) => panic!("no terminal: {error}"),
        }
    }

    /// Reads until this has been shown; all that was shown since the last time.
    ///
    /// # Panics
    /// If the terminal can't be read.
    pub fn read_to(&mut self, end: &str) -> String {
        let mut shown = Vec::new();
        let mut buffer = [0; 4096];
        while !String::from_utf8_lossy(&shown).contains(end) {
            match self.window.read(&mut buffer) {
                Ok(len) => shown.extend_from_slice(&buffer[..len]),
                Err(error) => panic!("{error} before {end:?}: {}", String::from_utf8_lossy(&shown)),
            }
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Reads until no program runs in it any more; returns what was shown since the last call.
    pub fn read_to_end(self) -> String {
        let Self { mut window, inside } = self;
        drop(inside);
        let mut shown = Vec::new();
        // Its end is an error on Linux.
        let _ = window.read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    }
}
