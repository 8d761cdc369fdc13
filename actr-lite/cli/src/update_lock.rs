use std::{process::ExitCode, time::Duration};

use actr_lite_terminal::print;
use anyhow::Context as _;

use crate::{node_arguments::NodeArguments, running_node::until_signal};

/// Writes Actr.lock.toml, beside Actr.toml, from the contracts that running servers publish, and says where it is: what a
/// program does for `--update-lock`. It waits up to `timeout` for servers that are not running yet.
///
/// # Errors
/// If a contract can't be fetched, the file can't be written, or a signal came first.
pub async fn update_lock(arguments: &NodeArguments, timeout: Duration) -> anyhow::Result<ExitCode> {
    let update = arguments.system()?.update_lock(timeout);
    let path = until_signal(async { Ok(update.await?) }).await;
    let path = path.context("the lock file is not changed")?;
    print(&format!("wrote {}\n", path.display()))
        .context("the lock file is written, but stdout cannot be written to")?;
    Ok(ExitCode::SUCCESS)
}
