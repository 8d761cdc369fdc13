//! How many lines one place in the code may log.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use actr_lite_wire::log_limit::{LogLimit, LogLine};
use tracing::{Event, Level, Metadata, Subscriber, callsite::Identifier};
use tracing_subscriber::layer::{Context, Layer};

use crate::stderr::say;

/// How many lines one place in the code may log within a window of 10 s: more than a busy server says of its streams,
/// and too few to fill a disk in a night. Lines about peers that misbehave have a lower limit of their own.
const LINES_PER_PLACE: u32 = 1000;

/// Drops what one place in the code logs beyond its share, whatever causes it, and reports how much that was. A user
/// who asks for debug lines gets all of them.
#[derive(Debug, Clone)]
pub(crate) struct RateLimit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Instant,
    places: Mutex<Places>,
}

/// What each place has logged: there are as many as the code has.
#[derive(Debug, Default)]
struct Places {
    by_callsite: HashMap<Identifier, Place>,
    /// When the first summary is due.
    sum_up_at: Option<Duration>,
}

#[derive(Debug)]
struct Place {
    limit: LogLimit,
    module: &'static str,
}

impl RateLimit {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            started: Instant::now(),
            places: Mutex::default(),
        }))
    }

    /// Reports what was dropped and not reported yet.
    pub(crate) fn conclude(&self) {
        say_all(self.lock().sum_up());
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for RateLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let now = self.0.started.elapsed();
        let mut places = self.lock();
        let summaries = match places.sum_up_at {
            Some(at) if now >= at => places.sum_up(),
            _ => Vec::new(),
        };
        let is_admitted = places.admit(metadata, now);
        drop(places);
        say_all(summaries);
        is_admitted
    }
}

impl Places {
    fn admit(&mut self, metadata: &'static Metadata<'static>, now: Duration) -> bool {
        let place = self.by_callsite.entry(metadata.callsite()).or_insert_with(|| Place {
            limit: LogLimit::new(LINES_PER_PLACE),
            module: metadata.target(),
        });
        match place.limit.line(now) {
            LogLine::Written => true,
            LogLine::Counted { sum_up_at } => {
                self.sum_up_at = self.sum_up_at.or(sum_up_at);
                false
            }
        }
    }

    /// How many lines of which module were dropped since this was last asked.
    fn sum_up(&mut self) -> Vec<(&'static str, u64)> {
        self.sum_up_at = None;
        let places = self.by_callsite.values_mut();
        places
            .filter_map(|place| Some((place.module, place.limit.sum_up()?)))
            .collect()
    }
}

fn say_all(summaries: Vec<(&'static str, u64)>) {
    for (module, count) in summaries {
        say(&format!("({count} more lines of one kind from {module})"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::{Registry, layer::SubscriberExt as _};

    use super::*;

    /// What passes, by level.
    #[derive(Debug, Clone, Default)]
    struct Passed(Arc<Mutex<HashMap<Level, u32>>>);

    impl<S: Subscriber> Layer<S> for Passed {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            *self.0.lock().unwrap().entry(*event.metadata().level()).or_default() += 1;
        }
    }

    #[test]
    fn one_place_logs_its_share_and_others_theirs() {
        let (limit, passed) = (RateLimit::new(), Passed::default());
        let subscriber = Registry::default().with(passed.clone()).with(limit.clone());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..3 * LINES_PER_PLACE {
                tracing::info!("a flood: {number}");
                tracing::debug!("asked for: {number}");
            }
            tracing::warn!("something else");
        });
        let passed = passed.0.lock().unwrap();
        // A machine that stands still for seconds may begin another window.
        assert!(
            (LINES_PER_PLACE..3 * LINES_PER_PLACE).contains(&passed[&Level::INFO]),
            "{passed:?}"
        );
        assert_eq!((passed[&Level::DEBUG], passed[&Level::WARN]), (3 * LINES_PER_PLACE, 1));
        assert_eq!(limit.lock().sum_up().len(), 1);
        assert_eq!(limit.lock().sum_up(), []);
    }
}
