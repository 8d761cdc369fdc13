//! What a registry shows of itself.

use std::sync::atomic::Ordering::Relaxed;

use actr_lite_admin::{
    counts::RegistryCounts,
    paging::Page,
    status::{NodeRow, RegistryStatus, RegistryTotals, Table},
    view::RegistryView,
};
use actr_lite_clock::rfc3339;
use actr_lite_wire::{peer_text::PeerText, proto::ServiceAvailabilityState};

use crate::{directory::Listed, journal::key, shared::Shared};

impl RegistryView for Shared {
    fn obstacles(&self) -> Vec<String> {
        match self.stop.is_cancelled() {
            true => vec!["the registry stops".to_owned()],
            false => Vec::new(),
        }
    }

    fn status(&self, page: Page) -> RegistryStatus {
        let (nodes, count) = {
            let directory = &self.state().directory;
            (directory.page(page), directory.len())
        };
        let rows = nodes.into_iter().map(|node| (node.id.serial_number(), self.row(node)));
        RegistryStatus {
            address: self.address.to_string(),
            totals: self.totals(),
            nodes: Table {
                count,
                rows: rows.collect(),
            },
        }
    }

    fn counts(&self) -> RegistryCounts {
        let tally = self.journal.tally();
        let (nodes_by_realm, stored_bytes, relays) = {
            let state = self.state();
            let by_realm = state.directory.nodes_by_realm();
            let by_realm = by_realm.map(|(realm_id, nodes)| (realm_id, nodes as u64)).collect();
            (by_realm, state.directory.stored_bytes(), state.relays)
        };
        let limits_reached = self.limits_reached().into_iter();
        RegistryCounts {
            nodes_by_realm,
            connections: self.permits.connections() as u64,
            registrations: tally.registered.load(Relaxed),
            registrations_refused: tally.registrations_refused.by_reason(),
            renewals: tally.renewed.load(Relaxed),
            renewals_refused: tally.renewals_refused.load(Relaxed),
            left: tally.left.load(Relaxed),
            leases_expired: tally.leases_expired.load(Relaxed),
            relays_passed: relays.passed,
            relays_refused: relays.refused,
            stored_bytes: stored_bytes as u64,
            signing_keys: self.authority.verifying_keys().len() as u64,
            newest_key_age: self.authority.newest_key_age(self.clock.unix_seconds()),
            limits_reached: limits_reached.map(|(option, times)| (key(&option), times)).collect(),
            misbehaviour: self.complaints.misbehaviour(),
        }
    }
}

impl Shared {
    fn row(&self, node: Listed) -> NodeRow {
        let state = match node.load.availability() {
            _ if node.is_lost => "disconnected",
            ServiceAvailabilityState::Full => "available",
            ServiceAvailabilityState::Degraded => "degraded",
            ServiceAvailabilityState::Overloaded => "overloaded",
            ServiceAvailabilityState::Unavailable => "unavailable",
        };
        NodeRow {
            id: node.id.to_string(),
            actr_type: node.id.actr_type().to_string(),
            realm: node.id.realm_id(),
            address: node.ws_address.map(|address| PeerText::new(&address).to_string()),
            from: node.from.text(),
            since: rfc3339(self.clock.unix_time_at(node.registered_at)),
            load: node.load.share(),
            state,
        }
    }

    fn totals(&self) -> RegistryTotals {
        let tally = self.journal.tally();
        let (nodes, stored_bytes, relays) = {
            let state = self.state();
            (state.directory.len(), state.directory.stored_bytes(), state.relays)
        };
        RegistryTotals {
            nodes,
            connections: self.permits.connections(),
            registered: tally.registered.load(Relaxed),
            registrations_refused: tally.registrations_refused.by_reason().values().sum(),
            renewed: tally.renewed.load(Relaxed),
            left: tally.left.load(Relaxed),
            leases_expired: tally.leases_expired.load(Relaxed),
            relayed: relays.passed,
            stored_bytes,
            signing_keys: self.authority.verifying_keys().len(),
            limits_reached: self.limits_reached().iter().map(|(_, times)| times).sum(),
            misbehaved: self.complaints.misbehaviour().total(),
        }
    }

    /// How often each limit was reached, by the name of its option.
    pub(crate) fn limits_reached(&self) -> Vec<(String, u64)> {
        let mut reached: Vec<_> = self.state().directory.limits_reached().collect();
        reached.extend(self.permits.limits_reached());
        reached.extend(self.in_flight.limits_reached());
        reached
    }
}
