//! The memory for what is under way: bodies that are read, long answers that are written, relayed messages that wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ledger::{Holder, Ledger, LimitReached, Resource, Shares};

/// All bytes that are under way in one registry.
///
/// Each address and each realm holds only a part of what is left to all: a peer that sends slowly, or doesn't read, leaves
/// room for everybody else.
#[derive(Debug)]
pub(crate) struct InFlight(Mutex<Ledger>);

impl InFlight {
    /// With so many bytes for all.
    pub(crate) fn new(all: usize) -> Self {
        Self(Mutex::new(Ledger::new(Resource::InFlightBytes, Shares::modest(all))))
    }

    /// Takes so many bytes on somebody's account.
    ///
    /// # Errors
    /// When there are not so many for it.
    pub(crate) fn take(self: &Arc<Self>, holder: Holder, bytes: usize) -> Result<InFlightBytes, LimitReached> {
        let mut taken = InFlightBytes {
            in_flight: Arc::clone(self),
            holder,
            bytes: 0,
        };
        taken.grow_to(bytes)?;
        Ok(taken)
    }

    /// How often each of its limits was reached.
    pub(crate) fn limits_reached(&self) -> [(String, u64); 3] {
        self.ledger().limits_reached()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are under way. Dropping it gives them back.
#[derive(Debug)]
pub(crate) struct InFlightBytes {
    in_flight: Arc<InFlight>,
    holder: Holder,
    bytes: usize,
}

impl InFlightBytes {
    /// Takes what is missing to so many.
    ///
    /// # Errors
    /// When there are not so many for its holder; then it is as many as before.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), LimitReached> {
        let missing = bytes.saturating_sub(self.bytes);
        self.in_flight.ledger().take(self.holder, missing)?;
        self.bytes += missing;
        Ok(())
    }
}

impl Drop for InFlightBytes {
    fn drop(&mut self) {
        self.in_flight.ledger().give_back(self.holder, self.bytes);
    }
}
