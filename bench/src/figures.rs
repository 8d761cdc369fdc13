//! Processor time and memory, as Linux counts them in `/proc`; and what many figures amount to.

use std::fs;

/// Processor seconds of this process's threads so far.
pub fn own_cpu_seconds() -> f64 {
    cpu_seconds("self")
}

/// Processor seconds so far of processes given by their ids; zero for one that is gone.
pub fn cpu_seconds_of(pids: &[u32]) -> f64 {
    pids.iter().map(|pid| cpu_seconds(&pid.to_string())).sum()
}

fn cpu_seconds(process: &str) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let nanoseconds: u64 = threads
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum();
    nanoseconds as f64 / 1e9
}

/// The peak resident memory of this process, in KiB.
pub fn peak_rss_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// The quantile of ascending figures: 0.5 is the median. Zero if there are none.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    let last = sorted.len().saturating_sub(1);
    sorted.get(at.min(last)).copied().unwrap_or_default()
}
