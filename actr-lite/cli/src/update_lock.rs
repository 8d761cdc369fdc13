use std::{process::ExitCode, time::Duration};

use actr_lite::ContractFingerprint;
use actr_lite_terminal::print;
use anyhow::Context as _;
use clap::Args;

use crate::{node_arguments::NodeArguments, running_node::until_signal};

/// The arguments of programs that have contracts to lock.
#[derive(Debug, Clone, Args)]
pub struct LockArguments {
    /// Write Actr.lock.toml from the contracts that running servers publish, and exit
    #[arg(long, conflicts_with = "check")]
    pub update_lock: bool,

    /// With --update-lock: the contract to take if servers of a type publish several, by its fingerprint
    #[arg(long, value_name = "FINGERPRINT", requires = "update_lock")]
    pub contract: Option<ContractFingerprint>,
}

/// Writes Actr.lock.toml, beside Actr.toml, from the contracts that running servers publish, and says where it is: what a
/// program does for `--update-lock`. It waits up to `timeout` for servers that are not running yet.
///
/// # Errors
/// If a contract can't be fetched, it is not clear which one is right, the file can't be written, or a signal came first.
pub async fn update_lock(
    arguments: &NodeArguments,
    lock: &LockArguments,
    timeout: Duration,
) -> anyhow::Result<ExitCode> {
    let update = arguments.system()?.update_lock(lock.contract, timeout);
    let path = until_signal(async { Ok(update.await?) }).await;
    let path = path.context("the lock file is not changed")?;
    print(&format!("wrote {}\n", path.display()))
        .context("the lock file is written, but stdout cannot be written to")?;
    Ok(ExitCode::SUCCESS)
}
