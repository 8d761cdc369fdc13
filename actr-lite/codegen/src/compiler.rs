//! From proto files to files of Rust code.

use std::env;
use std::path::{Path, PathBuf};

use crate::contract::Contract;
use crate::error::Error;
use crate::service::HandlerGenerator;

/// Compiles proto files, with a choice of the folder that the code is written to.
#[derive(Debug, Clone, Default)]
pub struct Compiler {
    out_dir: Option<PathBuf>,
}

impl Compiler {
    /// A compiler that writes to the `OUT_DIR` of the build script that runs it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes to `folder`, which has to exist, and prints nothing for cargo.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Compiles `protos`, found under the folders `includes`: one file of code for each package.
    ///
    /// # Errors
    ///
    /// As [`compile`](crate::compile).
    pub fn compile(&self, protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
        let out_dir = match &self.out_dir {
            Some(folder) => folder.clone(),
            None => env::var_os("OUT_DIR").ok_or(Error::NoOutDir)?.into(),
        };
        let mut protox = protox::Compiler::new(includes)?;
        protox
            .include_imports(true)
            .include_source_info(true)
            .open_files(protos)?;
        if self.out_dir.is_none() {
            rerun_if_changed(&protox);
        }

        let contract = Contract::of(&protox)?;
        prost_build::Config::new()
            .out_dir(&out_dir)
            .service_generator(Box::new(HandlerGenerator::new(contract)))
            .compile_fds(protox.file_descriptor_set())
            .map_err(|source| Error::Write { out_dir, source })
    }
}

#[expect(clippy::print_stdout, reason = "how a build script talks to cargo")]
fn rerun_if_changed(protox: &protox::Compiler) {
    for path in protox.files().filter_map(|file| file.path()) {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}
