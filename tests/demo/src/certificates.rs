use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use programs::{Checkout, Launch, Program, Progress, build};
use tempfile::TempDir;

/// A certificate for this machine and the CA that it is from, made by `cargo dev-certs`: files that are gone with this.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    /// Builds `dev-certs` first, only if it is needed.
    pub(crate) fn make(checkout: &Checkout) -> anyhow::Result<Self> {
        let folder = TempDir::new().context("no temporary directory")?;
        let built = build(checkout, &[Program::DEV_CERTS], Progress::Live)?;
        let maker = Launch::new("dev-certs", &built.path(Program::DEV_CERTS));
        // What it says is what to do with the files, which is done here.
        let maker = maker
            .arg("--out")
            .arg(folder.path())
            .arg("--force")
            .spawn_watched(|_| ())?;
        let status = maker.wait();
        ensure!(
            status.success(),
            "no certificates: {}",
            maker
                .output()
                .lines()
                .pop()
                .map_or_else(|| status.to_string(), |line| line.text)
        );
        Ok(Self(folder))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn served_by(&self, launch: Launch) -> Launch {
        self.trusted_by(launch)
            .config("system.tls.cert", self.file("cert.pem").display())
            .config("system.tls.key", self.file("key.pem").display())
    }

    pub(crate) fn trusted_by(&self, launch: Launch) -> Launch {
        launch.config("system.tls.ca", self.file("ca.pem").display())
    }
}
