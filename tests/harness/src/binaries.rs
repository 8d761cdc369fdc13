//! The programs that are tested.

use std::{path::PathBuf, sync::OnceLock};

use programs::{Checkout, Program, Progress, build};

const PROGRAMS: [Program; 3] = [Program::SERVER, Program::CLIENT, Program::REGISTRY];

#[cfg(feature = "webrtc")]
const WITH_WEBRTC: [&str; 2] = ["server/webrtc", "client/webrtc"];

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

/// What is built once in a process: a program is not replaced while a test starts it.
struct Built {
    /// Behind the others, as it overwrites them.
    shipped: Binaries,
    #[cfg(feature = "webrtc")]
    with_webrtc: Binaries,
}

impl Built {
    fn once() -> &'static Self {
        static BUILT: OnceLock<Built> = OnceLock::new();
        BUILT.get_or_init(|| Self::build().unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn build() -> anyhow::Result<Self> {
        Ok(Self {
            #[cfg(feature = "webrtc")]
            with_webrtc: Binaries::build_with_webrtc()?,
            shipped: Binaries::build()?,
        })
    }
}

impl Binaries {
    /// The programs as the sources are now: the first call in a process builds them, with the profile and in the
    /// target directory of the program that calls.
    ///
    /// # Panics
    /// If they can't be built, with what the compiler says.
    pub fn built() -> &'static Self {
        &Built::once().shipped
    }

    /// The programs with the feature `webrtc`, likewise: as files of their own beside the others.
    ///
    /// # Panics
    /// If they can't be built, with what the compiler says.
    #[cfg(feature = "webrtc")]
    pub fn with_webrtc() -> &'static Self {
        &Built::once().with_webrtc
    }

    #[cfg(feature = "webrtc")]
    fn build_with_webrtc() -> anyhow::Result<Self> {
        let checkout = Checkout::of_this_run()?;
        let executables = programs::build_with_features(&checkout, &PROGRAMS, &WITH_WEBRTC, Progress::OnFailure)?;
        let kept = |program| set_aside(&executables.path(program));
        Ok(Self {
            server: kept(Program::SERVER)?,
            client: kept(Program::CLIENT)?,
            registry: kept(Program::REGISTRY)?,
        })
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

/// Copies a program that the next build overwrites. One that runs is not touched.
#[cfg(feature = "webrtc")]
fn set_aside(program: &std::path::Path) -> anyhow::Result<PathBuf> {
    use std::fs;

    let mut name = program.file_stem().unwrap_or_default().to_owned();
    name.push("-webrtc");
    let kept = program.with_file_name(name);
    let new = kept.with_extension("new");
    fs::copy(program, &new)?;
    fs::rename(&new, &kept)?;
    Ok(kept)
}
