use std::{
    env,
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use actr_lite::{ActrSystem, ConfigOverride, ManifestError, resolve_path};
use clap::{ArgAction, Args};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    prelude::*,
};

/// The arguments that every node has.
#[derive(Debug, Clone, Args)]
pub struct NodeArguments {
    /// The node's Actr.toml; a relative path is looked for here, then in the package's folder when cargo runs it
    #[arg(long, value_name = "FILE")]
    actr_toml: PathBuf,

    /// Override one key of Actr.toml, such as system.signaling.url=ws://127.0.0.1:9000/signaling/ws
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<ConfigOverride>,

    /// Log more; twice: everything
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// Log warnings and errors only; twice: errors only
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

    pub(crate) fn start_logging(&self) {
        let level = match (self.verbose, self.quiet) {
            (0, 0) => LevelFilter::INFO,
            (0, 1) => LevelFilter::WARN,
            (0, _) => LevelFilter::ERROR,
            (1, _) => LevelFilter::DEBUG,
            (_, _) => LevelFilter::TRACE,
        };
        let asked = env::var("RUST_LOG").ok().and_then(|filter| filter.parse().ok());
        let filter = asked.unwrap_or_else(|| Targets::new().with_default(level));
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false);
        // A program that has set up its own logging keeps it.
        let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    }
}
