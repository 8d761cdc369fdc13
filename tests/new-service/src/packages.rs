use std::{
    collections::BTreeSet,
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use programs::{Checkout, CommandLine, own_package_variables};
use serde_json::Value;
use tempfile::TempDir;

/// Which commit a package was made of: another one alone is no reason to compile it again.
const COMMIT: &str = ".cargo_vcs_info.json";

/// A crate as it is published, unpacked.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Packages all crates of the workspace that are published, and unpacks them below `folder`. What was there before and is
/// the same is left alone, so that cargo does not compile it again.
pub(crate) fn unpack_all(checkout: &Checkout, folder: &Path) -> anyhow::Result<Vec<Package>> {
    let published = published(checkout)?;
    let mut package = cargo();
    package.current_dir(checkout.root()).args(["package", "--quiet"]);
    // What is not committed is tested too. A lock file would ask the registry for crates that are not published yet.
    package.args(["--no-verify", "--allow-dirty", "--exclude-lockfile", "--offline"]);
    package.arg("--target-dir").arg(folder);
    for (name, _) in &published {
        package.args(["--package", name]);
    }
    output(&mut package)?;
    let unpacked = TempDir::new()?;
    for (name, version) in &published {
        let archive = folder.join(format!("package/{name}-{version}.crate"));
        output(
            Command::new("tar")
                .arg("-xf")
                .arg(archive)
                .arg("-C")
                .arg(unpacked.path()),
        )?;
    }
    published
        .into_iter()
        .map(|(name, version)| {
            let (from, path) = (unpacked.path().join(format!("{name}-{version}")), folder.join(&name));
            update(&from, &path).with_context(|| format!("cannot update {}", path.display()))?;
            Ok(Package { name, path })
        })
        .collect()
}

/// Names and versions of what this workspace publishes.
fn published(checkout: &Checkout) -> anyhow::Result<Vec<(String, String)>> {
    let mut metadata = cargo();
    metadata.current_dir(checkout.root());
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&output(&mut metadata)?)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().context("no packages")?;
    let published = packages.iter().filter(|package| package["publish"].is_null());
    published
        .map(|package| Option::zip(text(&package["name"]), text(&package["version"])).context("no name"))
        .collect()
}

/// Makes a folder the same as another one, and touches only what differs.
fn update(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() == COMMIT {
            continue;
        }
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            update(&from, &to)?;
        } else if fs::read(&to).ok() != Some(fs::read(&from)?) {
            // A copy would have the time of the packaged file, which is the same for all.
            fs::write(&to, fs::read(&from)?)?;
        }
        names.insert(entry.file_name());
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !names.contains(&entry.file_name()) {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(())
}

/// Cargo as its user would call it.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for variable in own_package_variables() {
        cargo.env_remove(variable);
    }
    cargo
}

/// What a command prints.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = CommandLine(command).to_string();
    let output = command.output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!("{shown} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
