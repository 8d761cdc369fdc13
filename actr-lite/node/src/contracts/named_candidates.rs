//! Candidates for tests.

use actr_lite_registry_client::{Candidate, PublishedContract};
use actr_lite_wire::identity::ActrId;

/// One node for each of these, numbered from 1.
pub(super) fn candidates(contracts: &[PublishedContract]) -> Vec<Candidate> {
    (1..)
        .zip(contracts)
        .map(|(serial, contract)| Candidate {
            id: ActrId::new(1, serial, "acme+Server".parse().unwrap()),
            ws_address: None,
            contract: contract.clone(),
        })
        .collect()
}

/// A contract with this fingerprint.
pub(super) fn of(fingerprint: &str) -> PublishedContract {
    PublishedContract::Fingerprint(fingerprint.into())
}
