use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use actr_lite_wire::error_code::ErrorCode;

/// What a registry has done since its start, as far as nothing else counts it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) registered: AtomicU64,
    pub(crate) renewed: AtomicU64,
    pub(crate) renewals_refused: AtomicU64,
    pub(crate) left: AtomicU64,
    pub(crate) leases_expired: AtomicU64,
    pub(crate) registrations_refused: Refused,
}

/// How many registrations were refused, by the kind of reason. There are as many kinds as the registry has codes.
#[derive(Debug)]
pub(crate) struct Refused(Mutex<BTreeMap<&'static str, u64>>);

impl Default for Refused {
    /// With a zero for each kind: who watches sees the first refusal too.
    fn default() -> Self {
        Self(Mutex::new(REASONS.map(|reason| (reason, 0)).into()))
    }
}

impl Refused {
    pub(crate) fn count(&self, code: ErrorCode) {
        let mut by_reason = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *by_reason.entry(reason(code)).or_default() += 1;
    }

    pub(crate) fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The kinds of [`reason`].
const REASONS: [&str; 5] = [
    "unavailable",
    "permission_denied",
    "invalid_argument",
    "not_implemented",
    "other",
];

fn reason(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Unavailable => "unavailable",
        ErrorCode::PermissionDenied => "permission_denied",
        ErrorCode::InvalidArgument => "invalid_argument",
        ErrorCode::NotImplemented => "not_implemented",
        _ => "other",
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
