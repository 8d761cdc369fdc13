use actr_lite_wire::identity::ActrType;

use crate::{
    ManifestError,
    section::{Field, Section},
};

/// `[acl]`: who may call this node. Without the section everybody may; with it, who matches no rule may not, and a rule
/// that denies wins over those that allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// The rules, as written.
    pub rules: Vec<AclRule>,
}

/// One element of `[acl] rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclRule {
    /// What the rule says of its types.
    pub permission: Permission,
    /// The callers that the rule is about, compared exactly, version included.
    pub types: Vec<ActrType>,
}

/// What an [`AclRule`] says of its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// They may call.
    Allow,
    /// They may not, whatever other rules say.
    Deny,
}

const LIKE_A_RULE: &str = r#"a table like { permission = "allow", types = ["acme+StreamEchoClient"] }"#;

impl Acl {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        let rules = section
            .required(
                "rules",
                r#"rules = [{ permission = "allow", types = ["acme+StreamEchoClient"] }]"#,
            )?
            .array("an array of rules")?;
        Ok(Self {
            rules: rules
                .iter()
                .map(|rule| AclRule::read(&rule.section_like(LIKE_A_RULE)?))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl AclRule {
    fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        let types = section
            .required("types", r#"types = ["acme+StreamEchoClient"]"#)?
            .array("an array of actor types")?;
        Ok(Self {
            permission: Permission::read(&section.required("permission", r#"permission = "allow""#)?)?,
            types: types
                .iter()
                .map(|actr_type| actr_type.actr_type())
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Permission {
    /// In capitals too, as some of actr's own files have it.
    fn read(field: &Field<'_>) -> Result<Self, ManifestError> {
        match field.string()?.to_ascii_lowercase().as_str() {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(field.invalid(r#"a permission is "allow" or "deny""#)),
        }
    }
}
