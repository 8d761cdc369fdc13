//! The ways in which a node can say who may do what.

use crate::{
    access::Expected::{self, Granted, Refused},
    harness::node_plan::NodePlan,
};

/// A way in which a node says who may do what, and what that comes to for a node of the type `acme+Caller`.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// As in Actr.toml; nothing where there is no section.
    pub(super) rules: Option<&'static str>,
    /// The realm of the other node; the one that has the list is in realm 1.
    pub(super) realm: u32,
    pub(super) discovery: Expected,
    pub(super) call: Expected,
    /// Frames that the node with the list has asked the other one for.
    pub(super) frames: Expected,
}

impl Case {
    pub(super) fn guarded(&self, plan: NodePlan) -> NodePlan {
        match self.rules {
            Some(rules) => plan.set(&format!("acl.rules=[{rules}]")),
            None => plan,
        }
    }

    #[track_caller]
    pub(super) fn check(&self, door: &str, expected: Expected, refusal: Option<String>) {
        match (expected, refusal) {
            (Granted, None) => {}
            (Refused(words), Some(text)) if text.contains(words) => {}
            (_, found) => panic!("{}, {door}: expected {expected:?}, found {found:?}", self.name),
        }
    }
}

pub(super) const NO_RULE: &str = "has no rule for";
const OTHER_REALM: &str = "has no [acl] rule that admits other realms";

pub(super) const CASES: [Case; 12] = [
    Case {
        name: "absent",
        rules: None,
        realm: 1,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "allow",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"] }"#),
        realm: 1,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "present, and nobody is allowed",
        rules: Some(""),
        realm: 1,
        discovery: Refused(NO_RULE),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "another type is allowed",
        rules: Some(r#"{ permission = "allow", types = ["acme+Somebody"] }"#),
        realm: 1,
        discovery: Refused(NO_RULE),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "another version is allowed",
        rules: Some(r#"{ permission = "allow", types = ["acme:Caller:2.0.0"] }"#),
        realm: 1,
        discovery: Refused(NO_RULE),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "deny",
        rules: Some(r#"{ permission = "deny", types = ["acme+Caller"] }"#),
        realm: 1,
        discovery: Refused("denies"),
        call: Refused("denies"),
        frames: Refused("denies"),
    },
    Case {
        name: "deny beats allow",
        rules: Some(
            r#"{ permission = "deny", types = ["acme+Caller"] }, { permission = "allow", types = ["acme+Caller"], realm = "*" }"#,
        ),
        realm: 1,
        discovery: Refused("denies"),
        call: Refused("denies"),
        frames: Refused("denies"),
    },
    Case {
        name: "wildcard realm, from the own one",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"], realm = "*" }"#),
        realm: 1,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "wildcard realm, from another one",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"], realm = "*" }"#),
        realm: 2,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "other realm, absent",
        rules: None,
        realm: 2,
        discovery: Refused("is registered in other realms only"),
        call: Refused(OTHER_REALM),
        frames: Granted,
    },
    Case {
        name: "other realm, allowed in the own one only",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"], realm = "self" }"#),
        realm: 2,
        discovery: Refused("is registered in other realms only"),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "other realm, allowed by its number, and denied by another rule",
        rules: Some(
            r#"{ permission = "allow", types = ["acme+Caller"], realm = 2 }, { permission = "deny", types = ["acme+Caller"], realm = 2 }"#,
        ),
        realm: 2,
        discovery: Refused("is registered in other realms only"),
        call: Refused("denies"),
        frames: Refused("denies"),
    },
];
