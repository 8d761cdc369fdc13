//! The programs that are tested.

use std::{path::PathBuf, sync::OnceLock};

use programs::{Checkout, Program, Progress, build};

const PROGRAMS: [Program; 3] = [Program::SERVER, Program::CLIENT, Program::REGISTRY];

/// The programs that are tested, with the features that they are shipped with.
#[derive(Debug)]
pub struct Binaries {
    /// The server of stream-register.
    pub server: PathBuf,
    /// The client of stream-register.
    pub client: PathBuf,
    /// The registry as a process of its own.
    pub registry: PathBuf,
}

impl Binaries {
    /// The programs as the sources are now: the first call in a process builds them, with the profile and in the
    /// target directory of the program that calls.
    ///
    /// # Panics
    /// If they can't be built, with what the compiler says.
    pub fn built() -> &'static Self {
        static BUILT: OnceLock<Binaries> = OnceLock::new();
        BUILT.get_or_init(|| Self::build().unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn build() -> anyhow::Result<Self> {
        let executables = build(&Checkout::of_this_run()?, &PROGRAMS, Progress::OnFailure)?;
        Ok(Self {
            server: executables.path(Program::SERVER),
            client: executables.path(Program::CLIENT),
            registry: executables.path(Program::REGISTRY),
        })
    }
}
