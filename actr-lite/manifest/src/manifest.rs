use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use actr_lite_wire::acl::Acl;

use crate::{
    ConfigOverride, Dependency, Limits, ManifestError, Package, Place, RegistryLimits, System, acl,
    document::Node,
    file::read_text,
    schema::{ANY, Schema},
    section::Section,
};

/// The edition of `Actr.toml` that this runtime reads.
pub const EDITION: u32 = 1;

/// What an `Actr.toml` says: who a node is, where its registry is, what it offers and needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// `exports`: the proto files whose services other nodes may call; none if absent. Each has a file name that ends
    /// with `.proto`.
    pub exports: Vec<PathBuf>,
    /// `[package]`.
    pub package: Package,
    /// `[dependencies]`, by alias.
    pub dependencies: BTreeMap<String, Dependency>,
    /// `[system]`.
    pub system: System,
    /// `[acl]`; `None` lets everybody of the realm call.
    pub acl: Option<Acl>,
    /// `[scripts]`: command lines by name, for tools; nothing here runs them.
    pub scripts: BTreeMap<String, String>,
}

const SCHEMA: Schema = Schema(&[
    (
        &[],
        &[
            "edition",
            "exports",
            "package",
            "dependencies",
            "system",
            "acl",
            "scripts",
        ],
    ),
    (
        &["package"],
        &["name", "description", "authors", "license", "tags", "actr_type"],
    ),
    (&["package", "actr_type"], &["manufacturer", "name", "version"]),
    (&["dependencies"], &[ANY]),
    (&["dependencies", ANY], &["actr_type"]),
    (
        &["system"],
        &[
            "signaling",
            "websocket",
            "tls",
            "limits",
            "deployment",
            "discovery",
            "webrtc",
            "insecure",
        ],
    ),
    (
        &["system", "signaling"],
        &[
            "url",
            "embedded",
            "realms",
            "data_dir",
            "credential_lifetime",
            "key_lifetime",
            "limits",
        ],
    ),
    (&["system", "signaling", "limits"], RegistryLimits::KEYS),
    (&["system", "websocket"], &["listen", "advertised", "max_record_bytes"]),
    (&["system", "tls"], &["cert", "key", "ca"]),
    (&["system", "limits"], Limits::KEYS),
    (&["system", "deployment"], &["realm_id", "realm_secret_file"]),
    (&["system", "discovery"], &["visible"]),
    (&["system", "webrtc"], &["stun_urls", "turn_urls", "force_relay"]),
    (&["acl"], &["rules"]),
    (&["acl", "rules"], &["permission", "types", "realm"]),
    (&["scripts"], &[ANY]),
]);

impl Manifest {
    /// Reads the file at `path`, then applies the overrides in their order, then checks the result.
    ///
    /// # Errors
    /// The first thing that is wrong; see [`ManifestError`].
    pub fn load(path: &Path, overrides: &[ConfigOverride]) -> Result<Self, ManifestError> {
        Self::parse(&read_text(path)?, path, overrides)
    }

    /// The same of a text that is at hand; `path` is what errors call it.
    ///
    /// # Errors
    /// The first thing that is wrong; see [`ManifestError`].
    pub fn parse(text: &str, path: &Path, overrides: &[ConfigOverride]) -> Result<Self, ManifestError> {
        let mut document = Node::parse_document(text, &Place::in_file(path))?;
        for config_override in overrides {
            config_override.apply(&mut document);
        }
        // Another edition may have other keys, so its number comes first.
        let root = Section::root(&document);
        if root.optional("edition").is_some() {
            check_edition(&root)?;
        }
        SCHEMA.refuse_unknown_keys(&document)?;
        check_edition(&root)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::read(&root, folder)
    }

    fn read(root: &Section<'_>, folder: &Path) -> Result<Self, ManifestError> {
        Ok(Self {
            exports: read_exports(root)?,
            package: Package::read(&root.section("package")?)?,
            dependencies: Dependency::read_all(&root.section("dependencies")?)?,
            system: System::read(&root.section("system")?, folder)?,
            acl: root
                .optional("acl")
                .map(|field| acl::read(&field.section()?))
                .transpose()?,
            scripts: root
                .section("scripts")?
                .fields()
                .map(|(name, field)| Ok((name.to_owned(), field.string()?.to_owned())))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether `exports` names a proto file of this file name, in whatever directory.
    pub fn exports_proto(&self, file_name: &str) -> bool {
        self.exports
            .iter()
            .any(|path| path.file_name().is_some_and(|name| name == file_name))
    }
}

fn check_edition(root: &Section<'_>) -> Result<(), ManifestError> {
    let edition = root.required("edition", "edition = 1")?;
    if edition.integer::<i128>("the number 1")? == i128::from(EDITION) {
        return Ok(());
    }
    Err(edition.invalid(format_args!(
        "this runtime reads edition {EDITION}: write edition = {EDITION}"
    )))
}

fn read_exports(root: &Section<'_>) -> Result<Vec<PathBuf>, ManifestError> {
    let read = |field: &crate::section::Field<'_>| {
        let path = PathBuf::from(field.string()?);
        if path.extension().is_some_and(|extension| extension == "proto") {
            return Ok(path);
        }
        Err(field.invalid("not the path of a .proto file"))
    };
    root.array("exports", "an array of paths of .proto files")?
        .iter()
        .map(read)
        .collect()
}
