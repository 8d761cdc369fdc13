//! The build, and where it puts the programs.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{checkout::Checkout, command_line::CommandLine};

/// A program of this workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    package: &'static str,
    name: &'static str,
}

impl Program {
    /// The server of stream-register.
    pub const SERVER: Self = Self::of_package("server");
    /// The client of stream-register.
    pub const CLIENT: Self = Self::of_package("client");
    /// The registry as a process of its own.
    pub const REGISTRY: Self = Self {
        package: "actr-lite-registry-server",
        name: "actr-lite-registry",
    };
    /// The maker of certificates for development.
    pub const DEV_CERTS: Self = Self::of_package("actr-lite-dev-certs");

    /// A package's only program, which has the package's name.
    const fn of_package(name: &'static str) -> Self {
        Self { package: name, name }
    }
}

/// Who sees cargo's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everybody, on stderr.
    Live,
    /// Nobody, unless the build fails: then it is in the error.
    OnFailure,
}

/// Builds programs of the checkout as its sources are now, with the profile and in the target directory of the program
/// that calls.
///
/// # Errors
/// If they can't be built.
pub fn build(checkout: &Checkout, programs: &[Program], progress: Progress) -> anyhow::Result<Executables> {
    build_with_features(checkout, programs, &[], progress)
}

/// The same with these features, as cargo takes them: `FEATURE` of all of the programs, or `PACKAGE/FEATURE`. The programs are
/// where those without them are otherwise.
///
/// # Errors
/// As [`build`].
pub fn build_with_features(
    checkout: &Checkout,
    programs: &[Program],
    features: &[&str],
    progress: Progress,
) -> anyhow::Result<Executables> {
    let place = BuildPlace::of_this_program()?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(checkout.root())
        .arg("build")
        .args(
            programs
                .iter()
                .flat_map(|program| ["--package", program.package, "--bin", program.name]),
        )
        .args(features.iter().flat_map(|feature| ["--features", feature]))
        .args(place.arguments());
    let shown = CommandLine(&command).to_string();
    for variable in own_package_variables() {
        command.env_remove(variable);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(match progress {
            Progress::Live => Stdio::inherit(),
            Progress::OnFailure => Stdio::piped(),
        });
    let output = command
        .spawn()
        .and_then(|cargo| cargo.wait_with_output())
        .with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let text = format!("{shown} failed in {}\n{said}", checkout.root().display());
        bail!("{}", text.trim_end());
    }
    Ok(Executables {
        directory: place.profile_dir,
    })
}

/// The variables in which cargo tells a program of its own package. A build that inherits them runs the build scripts that
/// look at them (ring's) again each time that another program starts it.
pub fn own_package_variables() -> impl Iterator<Item = OsString> {
    const PREFIXES: [&str; 4] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_"];
    let variables = env::vars_os().map(|(variable, _)| variable);
    variables.filter(|variable| {
        let name = variable.to_string_lossy();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The target directory that this program was built in.
///
/// # Errors
/// If it was moved out of there.
pub fn target_dir() -> anyhow::Result<PathBuf> {
    Ok(BuildPlace::of_this_program()?.target_dir)
}

/// A program of the package whose tests run.
///
/// # Panics
/// If cargo does not run this, or the package has no such program.
#[track_caller]
pub fn own_program(name: &str) -> PathBuf {
    let variable = format!("CARGO_BIN_EXE_{name}");
    match env::var_os(&variable) {
        Some(path) => path.into(),
        None => panic!("{variable} is not set: run this test with cargo"),
    }
}

/// What a build has made.
#[derive(Debug)]
pub struct Executables {
    directory: PathBuf,
}

impl Executables {
    /// Where this program is, if it was built.
    pub fn path(&self, program: Program) -> PathBuf {
        self.directory
            .join(program.name)
            .with_extension(env::consts::EXE_EXTENSION)
    }
}

/// Where the build that made this program put it: another build with these arguments finds its dependencies compiled.
#[derive(Debug, PartialEq, Eq)]
struct BuildPlace {
    target_dir: PathBuf,
    profile_dir: PathBuf,
    triple: Option<OsString>,
    /// None for the one that cargo takes by itself.
    profile: Option<OsString>,
}

impl BuildPlace {
    fn of_this_program() -> anyhow::Result<Self> {
        let program = env::current_exe().context("this program cannot find itself")?;
        Self::of(&program, |directory| directory.join(".rustc_info.json").exists())
            .with_context(|| format!("{} is in no target directory of cargo", program.display()))
    }

    /// A test is `TARGET_DIR[/TRIPLE]/PROFILE/deps/NAME`, a program is one directory further up.
    fn of(program: &Path, is_target_dir: impl Fn(&Path) -> bool) -> Option<Self> {
        let mut profile_dir = program.parent()?;
        if profile_dir.ends_with("deps") {
            profile_dir = profile_dir.parent()?;
        }
        let profile = match profile_dir.file_name()? {
            name if name == "debug" => None,
            name => Some(name.into()),
        };
        let above = profile_dir.parent()?;
        let (target_dir, triple) = if is_target_dir(above) {
            (above, None)
        } else {
            (above.parent().filter(|path| is_target_dir(path))?, above.file_name())
        };
        Some(Self {
            target_dir: target_dir.into(),
            profile_dir: profile_dir.into(),
            triple: triple.map(Into::into),
            profile,
        })
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--target-dir".into(), self.target_dir.clone().into()];
        if let Some(profile) = &self.profile {
            arguments.extend(["--profile".into(), profile.clone()]);
        }
        if let Some(triple) = &self.triple {
            arguments.extend(["--target".into(), triple.clone()]);
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(program: &str) -> String {
        let place = BuildPlace::of(Path::new(program), |path| path.ends_with("built")).unwrap();
        place
            .arguments()
            .join(OsString::from(" ").as_os_str())
            .into_string()
            .unwrap()
    }

    #[test]
    fn the_build_goes_where_the_test_was_built() {
        assert_eq!(arguments("/w/built/debug/deps/promises-0123"), "--target-dir /w/built");
        assert_eq!(
            arguments("/w/built/release/demo"),
            "--target-dir /w/built --profile release"
        );
        assert_eq!(
            arguments("/w/built/wasm/debug/deps/promises-0123"),
            "--target-dir /w/built --target wasm"
        );
    }

    #[test]
    fn a_program_outside_of_a_target_directory_is_an_error() {
        assert_eq!(BuildPlace::of(Path::new("/usr/local/bin/demo"), |_| false), None);
    }
}
