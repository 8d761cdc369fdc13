use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use programs::{Checkout, Launch, target_dir};
use tempfile::TempDir;
use toml::Table;

use crate::{
    packages::{Package, cargo, output, unpack_all},
    page::Page,
};

/// A folder outside of the workspace with what the page says, in which its commands run.
///
/// The crates of this workspace are those that it packages, and all others those of its lock file. What is compiled is
/// kept in the target directory of the tests, where most of it is compiled already.
pub(crate) struct Project {
    folder: TempDir,
    target_dir: PathBuf,
}

impl Project {
    /// Writes the files, and compiles them.
    pub(crate) fn build(page: &Page) -> anyhow::Result<Self> {
        let checkout = Checkout::of_this_run()?;
        let target_dir = target_dir()?;
        let packages = unpack_all(&checkout, &target_dir.join("new-service"))?;
        let folder = TempDir::new()?;
        // Above the project, so that this has nothing that the page does not say.
        let configuration = configuration(&checkout, &packages)?.to_string();
        write(&folder.path().join(".cargo/config.toml"), &configuration)?;
        let project = Self { folder, target_dir };
        for (path, content) in &page.files {
            write(&project.path().join(path), content)?;
        }
        fs::copy(checkout.path("Cargo.lock"), project.path().join("Cargo.lock"))?;
        let mut build = cargo();
        build.current_dir(project.path()).arg("build");
        output(build.env("CARGO_TARGET_DIR", &project.target_dir))?;
        let [known, locked] = [checkout.path("Cargo.lock"), project.path().join("Cargo.lock")].map(registry_packages);
        if let Some((name, version)) = locked?.difference(&known?).next() {
            bail!(
                "{name} {version} is not in this workspace's Cargo.lock, so a build without network has no way to it"
            );
        }
        Ok(project)
    }

    /// The folder that the page begins with.
    fn path(&self) -> PathBuf {
        self.folder.path().join("countdown")
    }

    /// A command of the page.
    pub(crate) fn command(&self, name: &str, command: &[String]) -> Launch {
        let (program, arguments) = command.split_first().unwrap();
        assert_eq!(program, "cargo");
        Launch::new(name, Path::new(cargo().get_program()))
            .args(arguments)
            .current_dir(&self.path())
            .env("CARGO_TARGET_DIR", &self.target_dir)
    }
}

/// What makes cargo take the packages, and compile everything as it is compiled for this workspace.
fn configuration(checkout: &Checkout, packages: &[Package]) -> anyhow::Result<Table> {
    let manifest: Table = fs::read_to_string(checkout.path("Cargo.toml"))?.parse()?;
    let table = |key: &str, value: toml::Value| Table::from_iter([(key.to_owned(), value)]);
    let patches = packages.iter().map(|Package { name, path }| {
        let path = path.to_string_lossy().into_owned();
        (name.clone(), table("path", path.into()).into())
    });
    let patches = table("crates-io", Table::from_iter(patches).into());
    let development = manifest["profile"]["dev"].clone();
    Ok(Table::from_iter([
        ("net".to_owned(), table("offline", true.into()).into()),
        ("patch".to_owned(), patches.into()),
        ("profile".to_owned(), table("dev", development).into()),
    ]))
}

/// Names and versions of what a lock file takes from a registry.
fn registry_packages(lock: PathBuf) -> anyhow::Result<BTreeSet<(String, String)>> {
    let lock: Table = fs::read_to_string(lock)?.parse()?;
    let packages = lock["package"].as_array().context("no packages")?;
    let fetched = packages.iter().filter(|package| package.get("source").is_some());
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    fetched
        .map(|package| Option::zip(text(&package["name"]), text(&package["version"])).context("no name"))
        .collect()
}

fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    let written = fs::create_dir_all(path.parent().unwrap_or(path)).and_then(|()| fs::write(path, content));
    written.with_context(|| format!("cannot write {}", path.display()))
}
