use std::cmp::Ordering;

use actr_lite_wire::{
    acl::{Acl, AclRefusal, AclRule, Permission, RealmScope},
    identity::{ActrId, ActrType},
};

use super::footprint::ALLOCATION;

/// An access control list as a directory keeps it: sorted, so that a decision looks at a few rules however many there are;
/// each rule once, and all of them in two pieces of memory.
///
/// It decides as [`acl::admit`](actr_lite_wire::acl::admit) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList {
    /// Ordered by type and scope.
    rules: Box<[Rule]>,
    /// The types of all rules: manufacturer, name and version one after the other.
    types: Box<str>,
}

/// One rule about one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    /// Where its type begins.
    start: u32,
    manufacturer_len: u8,
    name_len: u8,
    version_len: u8,
    permission: Permission,
    scope: RealmScope,
}

/// The parts of a type, in the order in which types are compared.
type Parts<'a> = [&'a str; 3];

fn parts(actr_type: &ActrType) -> Parts<'_> {
    [actr_type.manufacturer(), actr_type.name(), actr_type.version()]
}

/// Scopes as something that has an order.
fn key(scope: RealmScope) -> (u8, u32) {
    match scope {
        RealmScope::Own => (0, 0),
        RealmScope::Any => (1, 0),
        RealmScope::Only(realm_id) => (2, realm_id),
    }
}

/// A no comes before a yes about the same.
fn order<'a>(&(actr_type, scope, permission): &(&'a ActrType, RealmScope, Permission)) -> (Parts<'a>, (u8, u32), bool) {
    (parts(actr_type), key(scope), permission == Permission::Allow)
}

impl From<&Acl> for AccessList {
    fn from(acl: &Acl) -> Self {
        let mut stated: Vec<(&ActrType, RealmScope, Permission)> = Vec::new();
        for rule in &acl.rules {
            stated.extend(rule.types.iter().map(|of| (of, rule.realm, rule.permission)));
        }
        stated.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
        // So a no stays, which wins over a yes.
        stated.dedup_by(|later, first| (later.0, later.1) == (first.0, first.1));

        let (mut rules, mut types) = (Vec::with_capacity(stated.len()), String::new());
        let mut previous: Option<&ActrType> = None;
        let mut start = 0;
        for (actr_type, scope, permission) in stated {
            if previous != Some(actr_type) {
                start = u32::try_from(types.len()).unwrap_or(u32::MAX);
                parts(actr_type).iter().for_each(|part| types.push_str(part));
                previous = Some(actr_type);
            }
            // The parts of a type have at most 64 bytes.
            let [manufacturer_len, name_len, version_len] = parts(actr_type).map(|part| part.len() as u8);
            rules.push(Rule {
                start,
                manufacturer_len,
                name_len,
                version_len,
                permission,
                scope,
            });
        }
        Self {
            rules: rules.into(),
            types: types.into(),
        }
    }
}

impl AccessList {
    /// How much memory it takes, beside its own two words.
    pub(super) fn stored_bytes(&self) -> usize {
        size_of_val(&*self.rules) + self.types.len() + 2 * ALLOCATION
    }

    /// Whether some actor of another realm than `own_realm` is allowed.
    pub(super) fn admits_other_realms(&self, own_realm: u32) -> bool {
        self.rules.iter().any(|rule| match rule.scope {
            RealmScope::Own => false,
            RealmScope::Any => rule.permission == Permission::Allow,
            RealmScope::Only(realm_id) => rule.permission == Permission::Allow && realm_id != own_realm,
        })
    }

    /// Whether `caller` may call a node of `own_realm`.
    pub(super) fn admits(&self, own_realm: u32, caller: &ActrId) -> bool {
        self.decision(own_realm, caller) == Some(Permission::Allow)
    }

    /// Why `caller` may not call `callee`, whose list this is.
    pub(super) fn refusal(&self, callee: &ActrId, caller: &ActrId) -> AclRefusal {
        let (caller_id, callee_id) = (caller.clone(), callee.clone());
        let mut rules = self.rules_about(callee.realm_id(), caller).into_iter().flatten();
        match rules.find(|rule| rule.permission == Permission::Deny) {
            Some(rule) => AclRefusal::Denied {
                caller: caller_id,
                callee: callee_id,
                rule: AclRule {
                    permission: rule.permission,
                    types: vec![caller.actr_type().clone()],
                    realm: rule.scope,
                },
            },
            None => AclRefusal::NotAllowed {
                caller: caller_id,
                callee: callee_id,
            },
        }
    }

    fn decision(&self, own_realm: u32, caller: &ActrId) -> Option<Permission> {
        let mut decision = None;
        for rule in self.rules_about(own_realm, caller).into_iter().flatten() {
            if rule.permission == Permission::Deny {
                return Some(Permission::Deny);
            }
            decision = Some(Permission::Allow);
        }
        decision
    }

    /// The rules about this caller: there is at most one for each scope that it is in.
    fn rules_about(&self, own_realm: u32, caller: &ActrId) -> [Option<&Rule>; 3] {
        let realm_id = caller.realm_id();
        let find = |scope| self.rule(parts(caller.actr_type()), scope);
        [
            find(RealmScope::Any),
            find(RealmScope::Only(realm_id)),
            (realm_id == own_realm).then(|| find(RealmScope::Own)).flatten(),
        ]
    }

    fn rule(&self, of: Parts<'_>, scope: RealmScope) -> Option<&Rule> {
        let order = |rule: &Rule| -> Ordering { (self.parts(rule), key(rule.scope)).cmp(&(of, key(scope))) };
        let found = self.rules.binary_search_by(order).ok()?;
        self.rules.get(found)
    }

    fn parts(&self, rule: &Rule) -> Parts<'_> {
        let mut rest = self.types.get(rule.start as usize..).unwrap_or_default();
        [rule.manufacturer_len, rule.name_len, rule.version_len].map(|len| {
            let (part, behind) = rest.split_at_checked(len.into()).unwrap_or_default();
            rest = behind;
            part
        })
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::acl;
    use proptest::{collection::vec, prelude::*, sample::subsequence};

    use super::*;

    /// Types whose parts run into each other when they are written one after the other.
    const TYPES: [&str; 5] = ["a:bc:1", "ab:c:1", "a:b:c1", "ab:c:12", "x:y:z"];

    fn actr_type(number: usize) -> ActrType {
        TYPES[number].parse().unwrap()
    }

    fn any_rule() -> impl Strategy<Value = AclRule> {
        let realm = prop_oneof![
            Just(RealmScope::Own),
            Just(RealmScope::Any),
            (1..4u32).prop_map(RealmScope::Only)
        ];
        let permission = prop_oneof![3 => Just(Permission::Allow), 1 => Just(Permission::Deny)];
        let types = subsequence((0..TYPES.len()).collect::<Vec<_>>(), 0..4);
        (permission, types, realm).prop_map(|(permission, types, realm)| AclRule {
            permission,
            types: types.into_iter().map(actr_type).collect(),
            realm,
        })
    }

    proptest! {
        #[test]
        fn it_decides_as_the_list_that_it_was_made_of(rules in vec(any_rule(), 0..12), own_realm in 1..4u32) {
            let acl = Acl { rules };
            let list = AccessList::from(&acl);
            let callee = ActrId::new(own_realm, 7, actr_type(0));
            let mut admits_others = false;
            for number in 0..TYPES.len() {
                for realm_id in 1..5 {
                    let caller = ActrId::new(realm_id, 8, actr_type(number));
                    let expected = acl::admit(Some(&acl), &callee, &caller);
                    prop_assert_eq!(list.admits(own_realm, &caller), expected.is_ok());
                    admits_others |= expected.is_ok() && realm_id != own_realm;
                    let Err(expected) = expected else { continue };
                    let refusal = list.refusal(&callee, &caller);
                    prop_assert_eq!(std::mem::discriminant(&refusal), std::mem::discriminant(&expected));
                }
            }
            prop_assert!(list.admits_other_realms(own_realm) || !admits_others);
        }
    }

    #[test]
    fn a_rule_takes_as_much_memory_as_is_counted() {
        let rule = |version: u32| AclRule {
            permission: Permission::Allow,
            types: vec![format!("a:b:{version:04}").parse().unwrap()],
            realm: RealmScope::Any,
        };
        let list = AccessList::from(&Acl {
            rules: (0..1024).map(rule).collect(),
        });
        assert_eq!(list.rules.len(), 1024);
        assert_eq!(size_of::<Rule>(), 16);
        assert_eq!(list.stored_bytes(), 1024 * (16 + 6) + 2 * ALLOCATION);
    }

    #[test]
    fn the_same_rule_twice_is_kept_once() {
        let rule = AclRule {
            permission: Permission::Allow,
            types: vec![actr_type(0), actr_type(0)],
            realm: RealmScope::Own,
        };
        let list = AccessList::from(&Acl {
            rules: vec![rule; 1024],
        });
        assert_eq!(list.rules.len(), 1);
    }
}
