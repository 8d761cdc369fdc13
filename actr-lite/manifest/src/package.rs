use actr_lite_wire::identity::{ActrType, DEFAULT_VERSION};

use crate::{ManifestError, section::Section};

/// `[package]`: what this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What to call it in front of people; not empty.
    pub name: String,
    /// What it does, in a sentence.
    pub description: Option<String>,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// `[package.actr_type]`: the type it registers as.
    pub actr_type: ActrType,
}

impl Package {
    pub(crate) fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        let name = section.required("name", r#"name = "stream-echo-server""#)?;
        if name.string()?.is_empty() {
            return Err(name.invalid("a package has a name: write one"));
        }
        Ok(Self {
            name: name.string()?.into(),
            description: section.string_or_none("description")?,
            authors: section.strings("authors")?,
            license: section.string_or_none("license")?,
            tags: section.strings("tags")?,
            actr_type: read_actr_type(&section.section("actr_type")?)?,
        })
    }
}

/// A well-formed part, to check the others one at a time: the error then stands at the line of the part that is wrong.
const SOME_NAME: &str = "x";

fn read_actr_type(section: &Section<'_>) -> Result<ActrType, ManifestError> {
    let manufacturer_field = section.required("manufacturer", r#"manufacturer = "acme""#)?;
    let name_field = section.required("name", r#"name = "StreamEchoServer""#)?;
    let manufacturer = manufacturer_field.string()?;
    let name = name_field.string()?;
    ActrType::new(manufacturer, SOME_NAME, DEFAULT_VERSION)
        .map_err(|error| manufacturer_field.invalid_actr_type(&error))?;
    let unversioned =
        ActrType::new(manufacturer, name, DEFAULT_VERSION).map_err(|error| name_field.invalid_actr_type(&error))?;
    match section.optional("version") {
        None => Ok(unversioned),
        Some(version) => {
            ActrType::new(manufacturer, name, version.string()?).map_err(|error| version.invalid_actr_type(&error))
        }
    }
}
