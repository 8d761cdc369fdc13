//! Who may call whom.
//!
//! A node without an access control list serves every actor of its realm. A node with a list serves actors that a rule
//! allows and no rule denies; types are compared exactly, version included. A rule is about callers of the node's own
//! realm unless it says otherwise, so actors of other realms get in by a rule only.

use std::fmt;

use thiserror::Error;

use crate::{
    identity::{ActrId, ActrType, ParseActrTypeError},
    proto::{self, acl_rule},
};

/// An access control list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acl {
    /// Its rules; their order makes no difference.
    pub rules: Vec<AclRule>,
}

/// What is said of some callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclRule {
    /// What is said.
    pub permission: Permission,
    /// The callers' types.
    pub types: Vec<ActrType>,
    /// The callers' realms.
    pub realm: RealmScope,
}

/// What an [`AclRule`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// They may call.
    Allow,
    /// They may not, whatever other rules say.
    Deny,
}

/// Which realms an [`AclRule`] is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RealmScope {
    /// The realm of the node that has the list.
    #[default]
    Own,
    /// Every realm.
    Any,
    /// This one.
    Only(u32),
}

/// Why a caller may not call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AclRefusal {
    /// There is no list, and the caller is in another realm.
    #[error(
        "{caller} is in realm {}, {callee} in realm {}, which has no [acl] rule that admits other realms",
        .caller.realm_id(),
        .callee.realm_id()
    )]
    OtherRealm {
        /// Who called.
        caller: ActrId,
        /// Who was called.
        callee: ActrId,
    },
    /// A rule denies the caller.
    #[error("the [acl] of {callee} denies {caller}: {rule}")]
    Denied {
        /// Who called.
        caller: ActrId,
        /// Who was called.
        callee: ActrId,
        /// The rule.
        rule: AclRule,
    },
    /// No rule allows the caller.
    #[error(
        "the [acl] of {callee} has no rule for {caller}, and refuses callers without a rule; to admit it, add \
         {{ permission = \"allow\", types = [\"{}\"]{} }}",
        .caller.actr_type(),
        realm_key(.caller, .callee)
    )]
    NotAllowed {
        /// Who called.
        caller: ActrId,
        /// Who was called.
        callee: ActrId,
    },
}

fn realm_key(caller: &ActrId, callee: &ActrId) -> String {
    if caller.realm_id() == callee.realm_id() {
        String::new()
    } else {
        format!(", realm = {}", caller.realm_id())
    }
}

/// Whether `caller` may call `callee`, and if not, why.
///
/// # Errors
/// When it may not.
pub fn admit(acl: Option<&Acl>, callee: &ActrId, caller: &ActrId) -> Result<(), AclRefusal> {
    let parties = || (caller.clone(), callee.clone());
    let Some(acl) = acl else {
        if caller.realm_id() == callee.realm_id() {
            return Ok(());
        }
        let (caller, callee) = parties();
        return Err(AclRefusal::OtherRealm { caller, callee });
    };
    let mut is_allowed = false;
    for rule in acl.rules.iter().filter(|rule| rule.is_about(callee.realm_id(), caller)) {
        match rule.permission {
            Permission::Allow => is_allowed = true,
            Permission::Deny => {
                let (caller, callee) = parties();
                let rule = rule.clone();
                return Err(AclRefusal::Denied { caller, callee, rule });
            }
        }
    }
    if is_allowed {
        return Ok(());
    }
    let (caller, callee) = parties();
    Err(AclRefusal::NotAllowed { caller, callee })
}

impl AclRule {
    fn is_about(&self, own_realm: u32, caller: &ActrId) -> bool {
        let is_in_scope = match self.realm {
            RealmScope::Own => caller.realm_id() == own_realm,
            RealmScope::Any => true,
            RealmScope::Only(realm_id) => caller.realm_id() == realm_id,
        };
        is_in_scope && self.types.contains(caller.actr_type())
    }
}

impl fmt::Display for AclRule {
    /// As it is written in Actr.toml.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permission = match self.permission {
            Permission::Allow => "allow",
            Permission::Deny => "deny",
        };
        write!(f, "{{ permission = \"{permission}\", types = [")?;
        for (at, actr_type) in self.types.iter().enumerate() {
            write!(f, "{}\"{actr_type}\"", if at == 0 { "" } else { ", " })?;
        }
        f.write_str("]")?;
        match self.realm {
            RealmScope::Own => {}
            RealmScope::Any => f.write_str(", realm = \"*\"")?,
            RealmScope::Only(realm_id) => write!(f, ", realm = {realm_id}")?,
        }
        f.write_str(" }")
    }
}

impl From<&Acl> for proto::Acl {
    /// On the wire a rule is about one type.
    fn from(acl: &Acl) -> Self {
        let rules = acl.rules.iter().flat_map(|rule| {
            let permission = match rule.permission {
                Permission::Allow => acl_rule::Permission::Allow,
                Permission::Deny => acl_rule::Permission::Deny,
            };
            let source_realm = match rule.realm {
                RealmScope::Own => None,
                RealmScope::Any => Some(acl_rule::SourceRealm::AnyRealm(true)),
                RealmScope::Only(realm_id) => Some(acl_rule::SourceRealm::RealmId(realm_id)),
            };
            rule.types.iter().map(move |from_type| proto::AclRule {
                permission: permission.into(),
                from_type: from_type.into(),
                source_realm,
            })
        });
        Self { rules: rules.collect() }
    }
}

impl TryFrom<&proto::Acl> for Acl {
    type Error = ParseActrTypeError;

    /// A permission that the protocol does not have is a no.
    fn try_from(acl: &proto::Acl) -> Result<Self, ParseActrTypeError> {
        let rules = acl.rules.iter().map(|rule| {
            Ok(AclRule {
                permission: match acl_rule::Permission::try_from(rule.permission) {
                    Ok(acl_rule::Permission::Allow) => Permission::Allow,
                    Ok(acl_rule::Permission::Deny) | Err(_) => Permission::Deny,
                },
                types: vec![ActrType::try_from(&rule.from_type)?],
                realm: match rule.source_realm {
                    Some(acl_rule::SourceRealm::AnyRealm(true)) => RealmScope::Any,
                    Some(acl_rule::SourceRealm::RealmId(realm_id)) => RealmScope::Only(realm_id),
                    Some(acl_rule::SourceRealm::AnyRealm(false)) | None => RealmScope::Own,
                },
            })
        });
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::subsequence};

    use super::*;

    fn actr_type(number: u8) -> ActrType {
        format!("acme+Type{number}").parse().unwrap()
    }

    fn any_rule() -> impl Strategy<Value = AclRule> {
        let realm = prop_oneof![
            Just(RealmScope::Own),
            Just(RealmScope::Any),
            (1..4u32).prop_map(RealmScope::Only)
        ];
        let permission = prop_oneof![Just(Permission::Allow), Just(Permission::Deny)];
        (permission, subsequence(vec![1, 2, 3], 0..3), realm).prop_map(|(permission, types, realm)| AclRule {
            permission,
            types: types.into_iter().map(actr_type).collect(),
            realm,
        })
    }

    proptest! {
        #[test]
        fn any_deny_wins_and_without_an_allow_it_is_no(
            rules in option::of(vec(any_rule(), 0..6)),
            (caller_type, caller_realm, own_realm) in (1..4u8, 1..4u32, 1..4u32),
        ) {
            let callee = ActrId::new(own_realm, 7, actr_type(9));
            let caller = ActrId::new(caller_realm, 8, actr_type(caller_type));
            let about = |rule: &&AclRule| {
                rule.types.contains(&actr_type(caller_type))
                    && match rule.realm {
                        RealmScope::Any => true,
                        RealmScope::Own => caller_realm == own_realm,
                        RealmScope::Only(realm) => caller_realm == realm,
                    }
            };
            let expected = match &rules {
                None => caller_realm == own_realm,
                Some(rules) => {
                    let permissions: Vec<_> = rules.iter().filter(about).map(|rule| rule.permission).collect();
                    permissions.contains(&Permission::Allow) && !permissions.contains(&Permission::Deny)
                }
            };
            let acl = rules.map(|rules| Acl { rules });
            let result = admit(acl.as_ref(), &callee, &caller);
            prop_assert_eq!(result.is_ok(), expected, "{:?}", result);
            if let Err(refusal) = result {
                let text = refusal.to_string();
                prop_assert!(text.contains(&caller.to_string()) && text.contains(&callee.to_string()), "{}", text);
            }
        }

        #[test]
        fn the_wire_changes_no_decision(
            rules in vec(any_rule(), 0..6),
            (caller_type, caller_realm, own_realm) in (1..4u8, 1..4u32, 1..4u32),
        ) {
            let acl = Acl { rules };
            let read = Acl::try_from(&proto::Acl::from(&acl)).unwrap();
            let callee = ActrId::new(own_realm, 7, actr_type(9));
            let caller = ActrId::new(caller_realm, 8, actr_type(caller_type));
            prop_assert_eq!(
                admit(Some(&acl), &callee, &caller).is_ok(),
                admit(Some(&read), &callee, &caller).is_ok()
            );
        }
    }

    #[test]
    fn a_rule_is_about_the_realms_that_it_names() {
        for (realm, admitted) in [
            (RealmScope::Own, [true, false, false]),
            (RealmScope::Only(2), [false, true, false]),
            (RealmScope::Any, [true, true, true]),
        ] {
            let rule = AclRule {
                permission: Permission::Allow,
                types: vec![actr_type(1)],
                realm,
            };
            let acl = Acl { rules: vec![rule] };
            let callee = ActrId::new(1, 7, actr_type(9));
            let is_admitted = |caller_type, caller_realm| {
                let caller = ActrId::new(caller_realm, 8, actr_type(caller_type));
                admit(Some(&acl), &callee, &caller).is_ok()
            };
            assert_eq!(
                [1, 2, 3].map(|caller_realm| is_admitted(1, caller_realm)),
                admitted,
                "{realm:?}"
            );
            assert_eq!([1, 2, 3].map(|caller_realm| is_admitted(2, caller_realm)), [false; 3]);
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let callee = ActrId::new(1, 7, actr_type(9));
        let caller = ActrId::new(2, 8, actr_type(1));
        let refusal = admit(Some(&Acl::default()), &callee, &caller).unwrap_err();
        assert!(
            refusal
                .to_string()
                .ends_with(r#"add { permission = "allow", types = ["acme:Type1:1.0.0"], realm = 2 }"#),
            "{refusal}"
        );
        let deny = AclRule {
            permission: Permission::Deny,
            types: vec![actr_type(1), actr_type(2)],
            realm: RealmScope::Any,
        };
        let acl = Acl { rules: vec![deny] };
        let refusal = admit(Some(&acl), &callee, &caller).unwrap_err();
        assert!(
            refusal.to_string().ends_with(
                r#"denies 8@2/acme:Type1:1.0.0: { permission = "deny", types = ["acme:Type1:1.0.0", "acme:Type2:1.0.0"], realm = "*" }"#
            ),
            "{refusal}"
        );
    }
}
