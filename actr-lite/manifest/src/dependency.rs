use std::collections::BTreeMap;

use actr_lite_wire::identity::ActrType;

use crate::{ManifestError, section::Section};

/// One entry of `[dependencies]`: a service that this node calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The type to discover.
    pub actr_type: ActrType,
}

impl Dependency {
    pub(crate) fn read_all(section: &Section<'_>) -> Result<BTreeMap<String, Self>, ManifestError> {
        section
            .fields()
            .map(|(alias, field)| {
                let actr_type = field
                    .section_like(r#"a table like { actr_type = "acme+StreamEchoServer" }"#)?
                    .required("actr_type", r#"actr_type = "acme+StreamEchoServer""#)?
                    .actr_type()?;
                Ok((alias.to_owned(), Self { actr_type }))
            })
            .collect()
    }
}
