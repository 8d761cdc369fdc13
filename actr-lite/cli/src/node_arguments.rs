use std::{env, path::PathBuf};

use actr_lite::{ActrSystem, ConfigOverride, ManifestError, resolve_path};
use actr_lite_terminal::{Logging, Verbosity, start_logging};
use clap::{ArgAction, Args};

/// The arguments that every node has.
#[derive(Debug, Clone, Args)]
pub struct NodeArguments {
    /// The node's Actr.toml; a relative path is looked for here, then in the package's folder when cargo runs it
    #[arg(long, value_name = "FILE")]
    actr_toml: PathBuf,

    /// Override one key of Actr.toml, such as system.signaling.url=ws://127.0.0.1:9000/signaling/ws
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<ConfigOverride>,

    /// Log more; twice: everything. RUST_LOG overrides -v and -q, if it is set and not empty
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// Log warnings and errors only, and show no progress bar; twice: errors only
    #[arg(short, long, action = ArgAction::Count)]
    quiet: u8,
}

impl NodeArguments {
    /// Reads Actr.toml.
    ///
    /// # Errors
    /// When it is not found, can't be read, or is not valid.
    pub fn system(&self) -> Result<ActrSystem, ManifestError> {
        // Set by `cargo run`, to the folder of the package that runs.
        let package_dir = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let path = resolve_path(&self.actr_toml, package_dir.as_deref())?;
        ActrSystem::from_toml_with(path, &self.config)
    }

    pub(crate) fn start_logging(&self) -> Logging {
        start_logging(Verbosity {
            verbose: self.verbose,
            quiet: self.quiet,
        })
    }
}
