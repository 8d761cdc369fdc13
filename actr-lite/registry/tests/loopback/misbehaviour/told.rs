//! What a registry says about its peers.

use std::time::Duration;

use actr_lite_registry::RegistryHandle;

use crate::{client::within, logs};

/// What a registry has complained about so far.
pub(super) struct Told<'a> {
    registry: &'a RegistryHandle,
    pub(super) total: u64,
    log: usize,
}

impl<'a> Told<'a> {
    pub(super) fn nothing(registry: &'a RegistryHandle) -> Self {
        let log = logs::position();
        Self {
            registry,
            total: 0,
            log,
        }
    }

    /// That one more was counted since the last time, and that one line tells of it.
    pub(super) async fn assert_one_more(&mut self, peer: &str, what: &str) {
        self.total += 1;
        // What is answered may be counted only then.
        within(async {
            while self.registry.misbehaviour().total() < self.total || logs::about(peer, self.log).is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        let misbehaviour = self.registry.misbehaviour();
        assert_eq!(misbehaviour.total(), self.total, "{what}: {misbehaviour}");
        let lines = logs::about(peer, self.log);
        assert_eq!(lines.len(), 1, "{what}: {lines:?}");
        self.log = logs::position();
    }
}
