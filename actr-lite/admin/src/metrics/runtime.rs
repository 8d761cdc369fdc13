use std::fmt;

use tokio::runtime::{Handle, RuntimeMetrics};

use super::families::Families;

/// What Tokio says of itself, as far as that is stable.
pub(super) fn write(families: &mut Families<'_>) -> fmt::Result {
    let Ok(runtime) = Handle::try_current() else {
        return Ok(());
    };
    let metrics = runtime.metrics();
    for (name, help, value) in [
        ("tokio_workers", "Threads that run tasks", metrics.num_workers()),
        (
            "tokio_alive_tasks",
            "Tasks that are not over",
            metrics.num_alive_tasks(),
        ),
        (
            "tokio_global_queue_depth",
            "Tasks that wait for any thread",
            metrics.global_queue_depth(),
        ),
    ] {
        families.gauge(name, help, [(vec![], value as u64)])?;
    }
    workers(families, &metrics)
}

#[cfg(target_has_atomic = "64")]
fn workers(families: &mut Families<'_>, metrics: &RuntimeMetrics) -> fmt::Result {
    let workers = 0..metrics.num_workers();
    let busy = workers
        .clone()
        .map(|worker| metrics.worker_total_busy_duration(worker).as_secs_f64());
    let busy = [(vec![], busy.sum::<f64>())];
    families.counter(
        "tokio_busy_seconds",
        "How long threads have run tasks, all together",
        busy,
    )?;
    let parks: u64 = workers.map(|worker| metrics.worker_park_count(worker)).sum();
    families.counter(
        "tokio_parks",
        "How often a thread has found nothing to do",
        [(vec![], parks)],
    )
}

#[cfg(not(target_has_atomic = "64"))]
fn workers(_: &mut Families<'_>, _: &RuntimeMetrics) -> fmt::Result {
    Ok(())
}
