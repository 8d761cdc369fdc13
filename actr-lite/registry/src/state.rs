//! What a registry decides by, as plain data: no clock, no randomness, no I/O. Time is an argument.

use std::{sync::Arc, time::Duration};

use actr_lite_wire::identity::ActrId;

use crate::{
    directory::{Directory, DirectoryError, Grant, ShownToken},
    failure_limit::FailureLimit,
    in_flight::InFlight,
    rates::Rates,
    relay::RelayTally,
    sessions::{Dismissal, Notice, Sessions},
};

/// Who is registered and connected, and what they have used up. A registry has it under one lock, which is never held
/// across an await. `H` is how a connection is reached.
pub struct State<H> {
    /// Who is registered.
    pub directory: Directory,
    /// Who is connected.
    pub sessions: Sessions<H>,
    pub(crate) relays: RelayTally,
    pub(crate) rates: Rates,
    pub(crate) in_flight: Arc<InFlight>,
    /// Who has shown wrong realm secrets.
    pub(crate) realm_failures: FailureLimit,
}

impl<H> State<H> {
    /// Nobody is connected, and so many bytes may be under way.
    pub fn new(directory: Directory, max_in_flight_bytes: usize) -> Self {
        Self {
            directory,
            sessions: Sessions::default(),
            relays: RelayTally::default(),
            rates: Rates::default(),
            in_flight: Arc::new(InFlight::new(max_in_flight_bytes)),
            realm_failures: FailureLimit::default(),
        }
    }

    /// [`Directory::renew`]. A node whose token was used before loses its connection with its registration.
    pub fn renew(
        &mut self,
        id: &ActrId,
        shown: ShownToken<'_>,
        now: Duration,
        unix_now: u64,
    ) -> (Result<Grant, DirectoryError>, Option<Notice<H>>) {
        let renewed = self.directory.renew(id, shown, now, unix_now);
        let notice = match renewed {
            Err(DirectoryError::RenewalReused(_)) => self.sessions.dismiss(id, Dismissal::TokenReused),
            _ => None,
        };
        (renewed, notice)
    }
}
