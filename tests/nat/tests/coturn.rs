//! A relay: coturn, as Debian has it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use harness::{Certificates, Launch, Process, WAIT_TIMEOUT};

use crate::network::Network;

/// What it shares with the registry.
pub(crate) const SECRET: &str = "shared-in-the-network-of-a-test";

/// The user of a relay that knows users.
pub(crate) const USERNAME: &str = "node";
pub(crate) const PASSWORD: &str = "password-in-the-network-of-a-test";

/// Where it is, if it is installed.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("turnserver"));
    let found = found.into_iter().find(|program| program.is_file());
    found.context("there is no turnserver: apt-get install coturn")
}

/// Whom a relay lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    /// Those for whom the registry has made a credential.
    Registered,
    /// The one with [`USERNAME`] and [`PASSWORD`].
    Named,
}

/// A relay that runs at the public address, until it is dropped.
pub(crate) fn start(
    network: &Network,
    folder: &Path,
    certificates: &Certificates,
    users: Users,
) -> anyhow::Result<Process> {
    let files = certificates.files();
    let launch = Launch::new("coturn", &program()?)
        .args([
            "-n",
            "--log-file=stdout",
            "--simple-log",
            "--no-cli",
            "--realm=example.org",
        ])
        .arg(format!("--cert={}", files.cert.display()))
        .arg(format!("--pkey={}", files.key.display()))
        .arg(format!("--userdb={}", folder.join("turndb").display()))
        .arg(format!("--pidfile={}", folder.join("coturn.pid").display()))
        // A nonce gets old within the test.
        .arg("--stale-nonce=2");
    let addresses = network.public_addresses().iter();
    let launch = addresses.fold(launch, |launch, address| {
        launch.args([format!("--listening-ip={address}"), format!("--relay-ip={address}")])
    });
    let launch = match users {
        Users::Registered => launch
            .arg("--use-auth-secret")
            .arg(format!("--static-auth-secret={SECRET}")),
        Users::Named => launch
            .arg("--lt-cred-mech")
            .arg(format!("--user={USERNAME}:{PASSWORD}")),
    };
    let coturn = network.public(launch).spawn();
    coturn.wait_for_line("DB connection success", WAIT_TIMEOUT);
    Ok(coturn)
}
