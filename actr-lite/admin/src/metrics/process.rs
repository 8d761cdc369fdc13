use std::fmt;

use super::families::Families;

/// What the system says of this process, by the names that other exporters have for it; nothing on other systems than Linux.
pub(super) fn write(families: &mut Families<'_>, started: f64) -> fmt::Result {
    let start = [(vec![], started)];
    families.gauge(
        "process_start_time_seconds",
        "When the process began, since 1970",
        start,
    )?;
    let Some(process) = Process::read() else {
        return Ok(());
    };
    let cpu = [(vec![], process.cpu_seconds)];
    families.counter("process_cpu_seconds", "Processor time of the process", cpu)?;
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Memory of the process",
            process.resident_bytes,
        ),
        (
            "process_virtual_memory_bytes",
            "Address space of the process",
            process.virtual_bytes,
        ),
        ("process_threads", "Threads of the process", process.threads),
        ("process_open_fds", "Open file descriptors", process.open_fds),
        ("process_max_fds", "File descriptors that may be open", process.max_fds),
    ] {
        families.gauge(name, help, [(vec![], value)])?;
    }
    Ok(())
}

struct Process {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: u64,
    open_fds: u64,
    max_fds: u64,
}

#[cfg(target_os = "linux")]
impl Process {
    fn read() -> Option<Self> {
        use std::{fs, time::Duration};

        use rustix::{
            process::{Resource, getrlimit},
            time::{ClockId, clock_gettime},
        };

        let status = fs::read_to_string("/proc/self/status").ok()?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // The one that reads them is not counted.
        let open_fds = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
        let cpu = Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).ok()?;
        Some(Self {
            cpu_seconds: cpu.as_secs_f64(),
            resident_bytes: field("VmRSS:")?.saturating_mul(1024),
            virtual_bytes: field("VmSize:")?.saturating_mul(1024),
            threads: field("Threads:")?,
            open_fds: open_fds as u64,
            max_fds: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
        })
    }
}

#[cfg(not(target_os = "linux"))]
impl Process {
    fn read() -> Option<Self> {
        None
    }
}
