//! What a registry decides by, as plain data: no clock, no randomness, no I/O. Time is an argument.

use std::sync::Arc;

use crate::{
    directory::Directory, failure_limit::FailureLimit, in_flight::InFlight, rates::Rates, relay::RelayTally,
    sessions::Sessions,
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
}
