use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use actr_lite_admin::counts;

/// The upper ends of the buckets, in microseconds: from a call within a machine to one that waits for a slow database.
const BOUNDS: [u64; 12] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000,
];

/// How long things took.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// Each counts what was in its bucket and in none before; the last one what took longer.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    total_us: AtomicU64,
}

impl Durations {
    /// One more that took so long.
    pub(crate) fn add(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < took);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.total_us.fetch_add(took, Relaxed);
    }

    pub(crate) fn seen(&self) -> counts::Durations {
        let ends = BOUNDS.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64());
        let ends = ends.chain([f64::INFINITY]);
        counts::Durations {
            buckets: ends
                .zip(self.buckets.iter().map(|bucket| bucket.load(Relaxed)))
                .collect(),
            total: Duration::from_micros(self.total_us.load(Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_the_first_bucket_that_it_fits() {
        let durations = Durations::default();
        for micros in [0, 100, 101, 10_000_000, 10_000_001, u64::MAX / 2] {
            durations.add(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = durations.seen().buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    }
}
