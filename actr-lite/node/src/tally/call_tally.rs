use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use actr_lite_admin::counts::{ByName, RouteCount};
use actr_lite_wire::error_code::ErrorCode;

use crate::tally::durations::Durations;

/// What stands for routes that this node does not export: peers can choose any.
const OTHER_ROUTE: &str = "other";

/// How many ways a call can end that are told apart.
const OUTCOMES: usize = 14;

/// How a served call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Failed(ErrorCode),
    /// The caller waits no longer, or is gone.
    Cancelled,
}

impl Outcome {
    fn number_and_word(self) -> (usize, &'static str) {
        let code = match self {
            Self::Done => return (0, "ok"),
            Self::Cancelled => return (1, "cancelled"),
            Self::Failed(code) => code,
        };
        match code {
            ErrorCode::Unavailable => (2, "unavailable"),
            ErrorCode::TimedOut => (3, "timed_out"),
            ErrorCode::NotFound => (4, "not_found"),
            ErrorCode::PermissionDenied => (5, "permission_denied"),
            ErrorCode::InvalidArgument => (6, "invalid_argument"),
            ErrorCode::UnknownRoute => (7, "unknown_route"),
            ErrorCode::DependencyNotFound => (8, "dependency_not_found"),
            ErrorCode::DecodeFailure => (9, "decode_failure"),
            ErrorCode::NotImplemented => (10, "not_implemented"),
            ErrorCode::Internal => (11, "internal"),
            ErrorCode::ConnectionNotReady => (12, "connection_not_ready"),
            ErrorCode::Other(_) => (13, "other"),
        }
    }
}

/// The calls that a node has served.
#[derive(Debug, Default)]
pub(crate) struct CallTally {
    by_route: BTreeMap<&'static str, RouteTally>,
    other: RouteTally,
}

#[derive(Debug, Default)]
struct RouteTally {
    outcomes: [AtomicU64; OUTCOMES],
    durations: Durations,
}

impl CallTally {
    /// For a node that exports these.
    pub(crate) fn new(routes: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            by_route: routes.into_iter().map(|route| (route, RouteTally::default())).collect(),
            other: RouteTally::default(),
        }
    }

    /// A call of this route has ended.
    pub(crate) fn ended(&self, route: &str, outcome: Outcome, took: Duration) {
        let tally = self.by_route.get(route).unwrap_or(&self.other);
        let (number, _) = outcome.number_and_word();
        if let Some(count) = tally.outcomes.get(number) {
            count.fetch_add(1, Relaxed);
        }
        tally.durations.add(took);
    }

    /// All routes.
    pub(crate) fn seen(&self) -> Vec<RouteCount> {
        let routes = self.by_route.iter().map(|(route, tally)| (*route, tally));
        let seen = routes
            .chain([(OTHER_ROUTE, &self.other)])
            .map(|(route, tally)| RouteCount {
                route,
                by_code: tally.by_code(),
                durations: tally.durations.seen(),
            });
        seen.collect()
    }

    /// How many were done, and how many failed.
    pub(crate) fn done_and_failed(&self) -> (u64, u64) {
        let tallies = self.by_route.values().chain([&self.other]);
        tallies.fold((0, 0), |(done, failed), tally| {
            let [first, others @ ..] = &tally.outcomes;
            let others: u64 = others.iter().map(|count| count.load(Relaxed)).sum();
            (done + first.load(Relaxed), failed + others)
        })
    }
}

impl RouteTally {
    /// Without those that none has.
    fn by_code(&self) -> ByName {
        let all = [Outcome::Done, Outcome::Cancelled, Outcome::Failed(ErrorCode::Other(0))];
        let known = (10001..=10011).map(|number| Outcome::Failed(ErrorCode::from(number)));
        let counted = all.into_iter().chain(known).filter_map(|outcome| {
            let (number, word) = outcome.number_and_word();
            Some((word, self.outcomes.get(number)?.load(Relaxed)))
        });
        counted.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_by_its_own_word() {
        let tally = CallTally::new(["a"]);
        let outcomes = [Outcome::Done, Outcome::Cancelled, Outcome::Failed(ErrorCode::Other(7))];
        let known = (10001..=10011).map(|number| Outcome::Failed(ErrorCode::from(number)));
        for outcome in outcomes.into_iter().chain(known) {
            tally.ended("a", outcome, Duration::from_millis(1));
        }
        let seen = &tally.seen()[0];
        assert_eq!((seen.route, seen.by_code.len()), ("a", OUTCOMES));
        assert!(seen.by_code.values().all(|count| *count == 1), "{seen:?}");
        assert_eq!(tally.done_and_failed(), (1, OUTCOMES as u64 - 1));
    }

    #[test]
    fn a_route_that_a_peer_chooses_gets_no_counter() {
        let tally = CallTally::new(["a"]);
        for route in ["b", "c", ""] {
            tally.ended(route, Outcome::Failed(ErrorCode::UnknownRoute), Duration::ZERO);
        }
        let seen = tally.seen();
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[1].route, seen[1].by_code["unknown_route"]), ("other", 3));
    }
}
