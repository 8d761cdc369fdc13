use std::{
    fs::{self, File},
    io,
};

/// What a process opens to get its controlling terminal, whichever that is.
const TERMINAL: &str = "/dev/tty";

/// The error of opening it if there is none: the same number on all systems.
const ENXIO: i32 = 6;

/// SIGHUP's bit among the signals that a process ignores, as Linux shows them.
const SIGHUP_BIT: u64 = 1;

/// The terminal whose end ends the process, if it has one.
///
/// A process that was started with SIGHUP ignored, for example by `nohup`, has to outlive the terminal.
#[derive(Debug)]
pub(crate) struct ControllingTerminal {
    ends_process: bool,
    is_told: bool,
}

impl ControllingTerminal {
    /// Checks how the process was started; call it before listening for SIGHUP.
    pub(crate) fn at_start() -> Self {
        let is_ignored = fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status));
        Self {
            ends_process: !is_ignored && File::open(TERMINAL).is_ok(),
            is_told: false,
        }
    }

    /// Whether there was one that ends the process, and it is gone.
    pub(crate) fn is_lost(&self) -> bool {
        // Other errors, such as too many open files, say nothing about it.
        let has_none = |error: io::Error| error.raw_os_error() == Some(ENXIO);
        self.ends_process && File::open(TERMINAL).err().is_some_and(has_none)
    }

    /// Whether this is the first report of the loss.
    pub(crate) fn tell_loss(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }
}

/// Whether the process ignores SIGHUP, as Linux says it in `/proc/self/status`.
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & SIGHUP_BIT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ignores_hangups_is_read_from_the_mask() {
        assert!(ignores_hangup("Name:\tserver\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("Name:\tserver\nSigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup("SigBlk:\t0000000000000001\n"));
    }

    #[test]
    fn a_terminal_that_never_was_is_not_lost() {
        let terminal = ControllingTerminal {
            ends_process: false,
            is_told: false,
        };
        assert!(!terminal.is_lost());
    }
}
