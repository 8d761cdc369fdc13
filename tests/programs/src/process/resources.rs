//! What a running program takes, as the system counts it (Linux).

use std::{fs, path::Path};

use crate::process::Process;

impl Process {
    /// Its peak resident memory so far, in bytes.
    ///
    /// # Panics
    /// If it has ended.
    #[track_caller]
    pub fn peak_memory(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// How much memory it has resident now, in bytes.
    ///
    /// # Panics
    /// If it has ended.
    #[track_caller]
    pub fn resident_memory(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most memory that it has reserved so far, used or not, in bytes.
    ///
    /// # Panics
    /// If it has ended.
    #[track_caller]
    pub fn peak_reserved_memory(&self) -> u64 {
        self.memory("VmPeak:")
    }

    #[track_caller]
    fn memory(&self, figure: &str) -> u64 {
        let status = self.read_running(|folder| fs::read_to_string(folder.join("status")).ok());
        let line = status.lines().find_map(|line| line.strip_prefix(figure));
        match line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()) {
            Some(kib) => kib << 10,
            None => panic!("the system does not say how much memory {} has", self.name),
        }
    }

    /// How many file descriptors it has open.
    ///
    /// # Panics
    /// If it has ended.
    #[track_caller]
    pub fn open_files(&self) -> usize {
        self.read_running(|folder| Some(fs::read_dir(folder.join("fd")).ok()?.count()))
    }

    /// Reads something in the folder that the system keeps about it.
    #[track_caller]
    fn read_running<T>(&self, read: impl FnOnce(&Path) -> Option<T>) -> T {
        // Not reaped as long as the state says that it runs, so the pid is its own.
        let state = self.life.lock();
        assert!(state.1.is_none(), "{} has ended", self.name);
        let folder = format!("/proc/{}", self.pid.as_raw_nonzero());
        match read(folder.as_ref()) {
            Some(found) => found,
            None => panic!("the system says nothing about {}", self.name),
        }
    }
}
