//! What may happen at once on a node, and how much is happening.

use std::sync::Arc;

use actr_lite_engine::accounts::Accounts;
use actr_lite_manifest::Limits;
use actr_lite_quota::{Limit, Quota};
use actr_lite_registry_client::LoadReport;
use actr_lite_wire::envelope::metadata_cost;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

/// How much of a node's limits is used.
#[derive(Debug)]
pub(crate) struct Occupancy {
    limits: Limits,
    accounts: Accounts,
    draining: CancellationToken,
}

impl Occupancy {
    /// For a node that does nothing yet; `draining` is cancelled when it takes nothing new any more.
    pub(crate) fn new(limits: Limits, accounts: Accounts, draining: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            limits,
            accounts,
            draining,
        })
    }

    /// What there may be.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What peers use of it.
    pub(crate) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Cancelled when the node takes no new connections and calls any more.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// What the node's heartbeats tell.
    pub(crate) fn load(&self) -> LoadReport {
        if self.draining.is_cancelled() {
            return LoadReport::UNAVAILABLE;
        }
        LoadReport::new(share(self.accounts.streams()), share(self.accounts.calls()))
    }

    /// Whether a call may have this metadata.
    pub(crate) fn check_metadata(&self, metadata: &[(String, String)]) -> Result<(), MetadataTooLong> {
        let len = metadata_cost(metadata);
        let value = self.limits.max_metadata_bytes.get();
        if len <= value {
            return Ok(());
        }
        Err(self.metadata_too_long(len))
    }

    /// The error of a call with so much metadata.
    pub(crate) fn metadata_too_long(&self, len: usize) -> MetadataTooLong {
        let value = self.limits.max_metadata_bytes.get();
        MetadataTooLong {
            len,
            limit: Limit::new("bytes of metadata", "system.limits.max_metadata_bytes", value),
        }
    }
}

/// A call's metadata is longer than this node allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the metadata of a call has {len} bytes, but this node allows {}; send less, or raise {} in its Actr.toml",
    .limit.value(), .limit.key()
)]
pub(crate) struct MetadataTooLong {
    /// The length of all keys and values together.
    pub(crate) len: usize,
    pub(crate) limit: Limit,
}

/// Which part of it is used.
fn share(quota: &Quota) -> f32 {
    quota.used() as f32 / quota.limit().value() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occupancy(draining: CancellationToken) -> Arc<Occupancy> {
        let limits = Limits::default();
        Occupancy::new(limits, Accounts::new(limits.of_accounts(4 << 20), 1, false), draining)
    }

    #[test]
    fn a_node_that_takes_nothing_new_is_unavailable() {
        let draining = CancellationToken::new();
        let occupancy = occupancy(draining.clone());
        assert_eq!(occupancy.load(), LoadReport::IDLE);
        draining.cancel();
        assert_eq!(occupancy.load(), LoadReport::UNAVAILABLE);
    }

    #[test]
    fn keys_values_and_entries_of_metadata_count() {
        let occupancy = occupancy(CancellationToken::new());
        let metadata = |len: usize| {
            [
                ("key".to_owned(), "v".repeat(len - 3 - 128)),
                (String::new(), String::new()),
            ]
        };
        assert!(occupancy.check_metadata(&[]).is_ok());
        assert!(occupancy.check_metadata(&metadata(16 << 10)).is_ok());
        let error = occupancy.check_metadata(&metadata((16 << 10) + 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the metadata of a call has 16385 bytes, but this node allows 16384; send less, or raise \
             system.limits.max_metadata_bytes in its Actr.toml"
        );
    }
}
