use std::{
    env,
    path::{Path, PathBuf},
};

use actr_lite::{ActrSystem, ConfigOverride, ManifestError, Problems, resolve_path};
use actr_lite_terminal::{LogFormat, Logging, SpanLayer, Verbosity, start_logging_with};
use clap::{
    ArgAction, Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

use crate::traces::Traces;

/// The arguments that every node has.
#[derive(Debug, Clone, Args)]
pub struct NodeArguments {
    /// The node's Actr.toml; a relative path is looked for here, then in the package's folder when cargo runs it
    #[arg(long, value_name = "FILE")]
    actr_toml: PathBuf,

    /// Override one key of Actr.toml, such as system.signaling.url=ws://127.0.0.1:9000/signaling/ws
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<ConfigOverride>,

    /// Only check Actr.toml and the files that it names, say everything that is wrong, and exit
    #[arg(long)]
    check: bool,

    /// Log more; twice: everything. RUST_LOG overrides -v and -q, if it is set and not empty
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// Log warnings and errors only, and show no progress bar; twice: errors only
    #[arg(short, long, action = ArgAction::Count)]
    quiet: u8,

    /// What the log looks like: lines for people, or a JSON object in each line
    #[arg(long, value_name = "FORMAT", default_value = LogFormat::NAMES[0], value_parser = PossibleValuesParser::new(LogFormat::NAMES).try_map(|name| name.parse::<LogFormat>()))]
    log_format: LogFormat,
}

impl NodeArguments {
    /// Whether the program is only to [check](crate::check()) its configuration.
    pub fn is_check(&self) -> bool {
        self.check
    }

    /// Reads Actr.toml.
    ///
    /// # Errors
    /// When it is not found, can't be read, or is not valid.
    pub fn system(&self) -> Result<ActrSystem, ManifestError> {
        self.system_or_problems().map_err(Problems::into_first)
    }

    pub(crate) fn system_or_problems(&self) -> Result<ActrSystem, Problems<ManifestError>> {
        // Set by `cargo run`, to the folder of the package that runs.
        let package_dir = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let path = resolve_path(&self.actr_toml, package_dir.as_deref())?;
        Ok(Traces::followed_by(ActrSystem::read(path, &self.config)?))
    }

    pub(crate) fn actr_toml(&self) -> &Path {
        &self.actr_toml
    }

    pub(crate) fn start_logging(&self, spans: Option<SpanLayer>) -> Logging {
        let verbosity = Verbosity {
            verbose: self.verbose,
            quiet: self.quiet,
        };
        start_logging_with(verbosity, self.log_format, spans)
    }
}
