//! `[acl]`: who may call this node.

use actr_lite_wire::acl::{Acl, AclRule, Permission, RealmScope};

use crate::{
    ManifestError,
    section::{Field, Section},
};

const LIKE_A_RULE: &str = r#"a table like { permission = "allow", types = ["acme+StreamEchoClient"] }"#;

pub(crate) fn read(section: &Section<'_>) -> Result<Acl, ManifestError> {
    let rules = section
        .required(
            "rules",
            r#"rules = [{ permission = "allow", types = ["acme+StreamEchoClient"] }]"#,
        )?
        .array("an array of rules")?;
    Ok(Acl {
        rules: rules
            .iter()
            .map(|rule| read_rule(&rule.section_like(LIKE_A_RULE)?))
            .collect::<Result<_, _>>()?,
    })
}

fn read_rule(section: &Section<'_>) -> Result<AclRule, ManifestError> {
    let types = section
        .required("types", r#"types = ["acme+StreamEchoClient"]"#)?
        .array("an array of actor types")?;
    Ok(AclRule {
        permission: read_permission(&section.required("permission", r#"permission = "allow""#)?)?,
        types: types
            .iter()
            .map(|actr_type| actr_type.actr_type())
            .collect::<Result<_, _>>()?,
        realm: match section.optional("realm") {
            Some(field) => read_realm(&field)?,
            None => RealmScope::Own,
        },
    })
}

/// In capitals too, as some of actr's own files have it.
fn read_permission(field: &Field<'_>) -> Result<Permission, ManifestError> {
    match field.string()?.to_ascii_lowercase().as_str() {
        "allow" => Ok(Permission::Allow),
        "deny" => Ok(Permission::Deny),
        _ => Err(field.invalid(r#"a permission is "allow" or "deny""#)),
    }
}

fn read_realm(field: &Field<'_>) -> Result<RealmScope, ManifestError> {
    const EXPECTED: &str = r#"a realm's number, "self" or "*""#;
    match field.string() {
        Ok("self") => Ok(RealmScope::Own),
        Ok("*") => Ok(RealmScope::Any),
        Ok(_) => Err(field.invalid(format!("a realm is {EXPECTED}"))),
        Err(_) => field.integer(EXPECTED).map(RealmScope::Only),
    }
}
