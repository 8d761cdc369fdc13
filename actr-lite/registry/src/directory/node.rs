use std::{collections::VecDeque, time::Duration};

use actr_lite_wire::{acl::AclRefusal, identity::ActrId, possession::ReplayWindow};

use super::{
    load::Load,
    rank::{Obstacles, Rank},
    registration::{Candidate, Listed, Registration},
    renewal::Renewals,
};
use crate::ledger::Holder;

/// How many that a node has reached may answer it: more than it connects to at a time. One that is forgotten can't.
const MAX_REACHED: usize = 256;

/// A registered node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: ActrId,
    pub(super) registration: Registration,
    /// On whose account it is here.
    pub(super) holder: Holder,
    pub(super) renewals: Renewals,
    /// Which proofs of its key were taken.
    pub(super) proofs: ReplayWindow,
    /// When it was registered, by the directory's time.
    pub(super) registered_at: Duration,
    pub(super) lease_ends: Duration,
    pub(super) standing: Standing,
    /// Whether it is found by those of other realms too.
    pub(super) is_found_abroad: bool,
    /// The serial numbers of those whom it has reached by way of the registry, and who may answer it so. The oldest first.
    reached: VecDeque<u64>,
}

/// What changes a node's rank among candidates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) load: Load,
    /// It was connected, and is not any more.
    pub(super) is_lost: bool,
    /// The directory's count of answers when this node last came first in one; orders nodes of the same load.
    pub(super) last_given: u64,
}

/// Why a node does not admit somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwanted {
    /// The asker is of another realm.
    Stranger,
    /// The node's list says so.
    Refused,
}

impl Node {
    pub(super) fn new(
        id: ActrId,
        registration: Registration,
        holder: Holder,
        renewals: Renewals,
        registered_at: Duration,
        lease_ends: Duration,
    ) -> Self {
        let acl = registration.acl.as_ref();
        Self {
            is_found_abroad: acl.is_some_and(|acl| acl.admits_other_realms(id.realm_id())),
            id,
            registration,
            holder,
            renewals,
            proofs: ReplayWindow::default(),
            registered_at,
            lease_ends,
            standing: Standing::default(),
            reached: VecDeque::new(),
        }
    }

    pub(super) fn is_live(&self, now: Duration) -> bool {
        self.lease_ends > now
    }

    pub(super) fn rank(&self) -> Rank {
        Rank {
            obstacles: Obstacles {
                has_no_address: self.registration.ws_address.is_none(),
                can_not_serve: !self.standing.load.can_serve(),
                is_lost: self.standing.is_lost,
            },
            load: self.standing.load,
            last_given: self.standing.last_given,
            serial: self.id.serial_number(),
        }
    }

    /// Whether it admits `asker` as a caller.
    pub(super) fn admits(&self, asker: &ActrId) -> Result<(), Unwanted> {
        let (own_realm, is_stranger) = (self.id.realm_id(), self.id.realm_id() != asker.realm_id());
        let is_admitted = match &self.registration.acl {
            None => !is_stranger,
            Some(acl) => acl.admits(own_realm, asker),
        };
        match is_admitted {
            true => Ok(()),
            false if is_stranger => Err(Unwanted::Stranger),
            false => Err(Unwanted::Refused),
        }
    }

    /// What it says to `asker`, whom it does not admit.
    pub(super) fn refusal(&self, asker: &ActrId) -> AclRefusal {
        match &self.registration.acl {
            Some(acl) => acl.refusal(&self.id, asker),
            None => AclRefusal::OtherRealm {
                caller: asker.clone(),
                callee: self.id.clone(),
            },
        }
    }

    pub(super) fn listed(&self) -> Listed {
        Listed {
            id: self.id.clone(),
            ws_address: self.registration.ws_address.clone(),
            from: self.holder.source,
            registered_at: self.registered_at,
            load: self.standing.load,
            is_lost: self.standing.is_lost,
        }
    }

    pub(super) fn candidate(&self) -> Candidate {
        Candidate {
            id: self.id.clone(),
            ws_address: self.registration.ws_address.clone(),
            fingerprint: self.registration.fingerprint().map(Into::into),
        }
    }

    /// Notes whom it has reached.
    pub(super) fn has_reached(&mut self, serial: u64) {
        if self.is_answered_by(serial) {
            return;
        }
        if self.reached.len() == MAX_REACHED {
            self.reached.pop_front();
        }
        self.reached.push_back(serial);
    }

    /// Whether this one may answer it.
    pub(super) fn is_answered_by(&self, serial: u64) -> bool {
        self.reached.contains(&serial)
    }
}
