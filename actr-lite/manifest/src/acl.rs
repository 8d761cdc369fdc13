//! `[acl]`: who may call this node.

use actr_lite_wire::{
    acl::{Acl, AclRule, Permission, RealmScope},
    identity::ActrType,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected},
};

use crate::{
    actr_type::TypeText,
    expecting::{NumberOrText, array, number_or_text},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    #[serde(deserialize_with = "rules")]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table like { permission = \"allow\", types = [\"acme+StreamEchoClient\"] }"
)]
struct Rule {
    #[serde(deserialize_with = "permission")]
    permission: Permission,
    #[serde(deserialize_with = "types")]
    types: Vec<ActrType>,
    #[serde(default, deserialize_with = "realm")]
    realm: RealmScope,
}

pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Acl>, D::Error> {
    let section = Section::deserialize(deserializer)?;
    let rules = section.rules.into_iter().map(|rule| AclRule {
        permission: rule.permission,
        types: rule.types,
        realm: rule.realm,
    });
    Ok(Some(Acl { rules: rules.collect() }))
}

fn rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Rule>, D::Error> {
    array(deserializer, "an array of rules")
}

fn types<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ActrType>, D::Error> {
    let types: Vec<TypeText> = array(deserializer, "an array of actor types")?;
    Ok(types.into_iter().map(|TypeText(actr_type)| actr_type).collect())
}

/// In capitals too, as some of actr's own files have it.
fn permission<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Permission, D::Error> {
    match String::deserialize(deserializer)?.to_ascii_lowercase().as_str() {
        "allow" => Ok(Permission::Allow),
        "deny" => Ok(Permission::Deny),
        _ => Err(D::Error::custom(r#"a permission is "allow" or "deny""#)),
    }
}

fn realm<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RealmScope, D::Error> {
    const EXPECTED: &str = r#"a realm's number, "self" or "*""#;
    match number_or_text(deserializer, EXPECTED)? {
        NumberOrText::Text(text) if text == "self" => Ok(RealmScope::Own),
        NumberOrText::Text(text) if text == "*" => Ok(RealmScope::Any),
        NumberOrText::Text(_) => Err(D::Error::custom(format_args!("a realm is {EXPECTED}"))),
        NumberOrText::Number(number) => u32::try_from(number)
            .map(RealmScope::Only)
            .map_err(|_| D::Error::invalid_type(Unexpected::Other("number"), &EXPECTED)),
    }
}
