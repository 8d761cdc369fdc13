use actr_lite_wire::{
    acl::{self, Acl, AclRefusal, Permission, RealmScope},
    identity::ActrId,
};

/// Whom this node's access list admits.
pub(crate) struct Access {
    acl: Option<Acl>,
    /// This node's id: a new one after each registration.
    own_id: Box<dyn Fn() -> ActrId + Send + Sync>,
}

impl Access {
    /// Of a node whose id `own_id` tells at any time.
    pub(crate) fn new(acl: Option<Acl>, own_id: impl Fn() -> ActrId + Send + Sync + 'static) -> Self {
        Self {
            acl,
            own_id: Box::new(own_id),
        }
    }

    /// This node's id: a new one after each registration.
    pub(crate) fn own_id(&self) -> ActrId {
        (self.own_id)()
    }

    /// Whether the list admits another node.
    pub(crate) fn admit(&self, peer: &ActrId) -> Result<(), AclRefusal> {
        acl::admit(self.acl.as_ref(), &self.own_id(), peer)
    }

    /// Whether a rule of the list denies another node. A missing rule does not count: a node that was asked may answer.
    pub(crate) fn denial(&self, peer: &ActrId) -> Option<AclRefusal> {
        // A stream is bound for each request: without a list there is nothing to look up.
        self.acl.as_ref()?;
        self.admit(peer)
            .err()
            .filter(|refusal| matches!(refusal, AclRefusal::Denied { .. }))
    }
}

/// Whether an access list has a rule for nodes of other realms than this.
pub(crate) fn admits_others(acl: Option<&Acl>, own_realm: u32) -> bool {
    let mut rules = acl.into_iter().flat_map(|acl| &acl.rules);
    rules.any(|rule| {
        rule.permission == Permission::Allow
            && match rule.realm {
                RealmScope::Own => false,
                RealmScope::Any => true,
                RealmScope::Only(realm) => realm != own_realm,
            }
    })
}
