//! Where a registry notes what happens: it is counted, shown to those who watch, and put into the audit log.

use std::sync::Arc;

use actr_lite_admin::{
    event::{Event as Shown, Kind, Part},
    event_log::EventLog,
};
use actr_lite_net::source::Source;
use actr_lite_wire::identity::ActrId;

use crate::{
    audit::{AuditLog, Event, Registered},
    ledger::LimitReached,
    tally::{Tally, count},
};

/// What is noted, and where.
pub(crate) struct Journal {
    pub(crate) audit: AuditLog,
    events: Arc<EventLog>,
    tally: Tally,
}

impl Journal {
    pub(crate) fn new(audit: AuditLog, events: Arc<EventLog>) -> Self {
        Self {
            audit,
            events,
            tally: Tally::default(),
        }
    }

    /// What was counted.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// A node was registered; it takes over its type from these realms.
    pub(crate) fn registered(&self, registered: &Registered, taken_from: Option<&[u32]>) {
        count(&self.tally.registered);
        self.show(Kind::Registered, || Shown {
            node: Some(registered.id.to_string()),
            from: Some(registered.address.to_string()),
            ..event(Kind::Registered)
        });
        self.audit.note_registration(registered, taken_from);
    }

    /// A credential was renewed.
    pub(crate) fn renewed(&self) {
        count(&self.tally.renewed);
    }

    /// Somebody was refused.
    pub(crate) fn refused(&self, from: Source, refusal: &Event<'_>) {
        match refusal {
            Event::RegistrationRefused {
                address,
                realm_id,
                actr_type,
                code,
                reason,
            } => {
                self.tally.registrations_refused.count(*code);
                self.show(Kind::RegistrationRefused, || Shown {
                    actr_type: (!actr_type.is_empty()).then(|| actr_type.to_string()),
                    realm: *realm_id,
                    from: Some(address.to_string()),
                    reason: Some(reason.to_string()),
                    ..event(Kind::RegistrationRefused)
                });
            }
            Event::RenewalRefused { address, id, reason } => {
                count(&self.tally.renewals_refused);
                self.show(Kind::RenewalRefused, || Shown {
                    node: (!id.is_empty()).then(|| id.to_string()),
                    from: Some(address.to_string()),
                    reason: Some(reason.to_string()),
                    ..event(Kind::RenewalRefused)
                });
            }
            Event::RequestRefused { address, reason, .. } => {
                self.show(Kind::RequestRefused, || Shown {
                    from: Some(address.to_string()),
                    reason: Some(reason.to_string()),
                    ..event(Kind::RequestRefused)
                });
            }
            _ => {}
        }
        self.audit.note_refusal(from, refusal);
    }

    /// A limit was reached, which has counted it itself.
    pub(crate) fn limit_reached(&self, reached: &LimitReached) {
        self.show(Kind::LimitReached, || Shown {
            key: Some(key(&reached.option())),
            reason: Some(reached.to_string()),
            ..event(Kind::LimitReached)
        });
    }

    /// A node has left.
    pub(crate) fn left(&self, id: &ActrId) {
        count(&self.tally.left);
        self.show_node(Kind::Left, id);
    }

    /// A node's lease is over.
    pub(crate) fn lease_expired(&self, id: &ActrId) {
        count(&self.tally.leases_expired);
        self.show_node(Kind::LeaseExpired, id);
    }

    /// There are other signing keys, so many.
    pub(crate) fn keys_changed(&self, keys: usize) {
        self.show(Kind::SigningKeys, || Shown {
            reason: Some(format!("the signing keys have changed: {keys} are valid")),
            ..event(Kind::SigningKeys)
        });
    }

    fn show_node(&self, kind: Kind, id: &ActrId) {
        self.show(kind, || Shown {
            node: Some(id.to_string()),
            ..event(kind)
        });
    }

    fn show(&self, kind: Kind, describe: impl FnOnce() -> Shown) {
        self.events.note(kind, describe);
    }
}

/// The key of a limit, with its section of Actr.toml.
pub(crate) fn key(option: &str) -> String {
    format!("system.signaling.limits.{option}")
}

fn event(kind: Kind) -> Shown {
    Shown::new(Part::Registry, kind)
}
