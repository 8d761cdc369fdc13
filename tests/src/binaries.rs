//! The build, and where it put the programs.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The programs that are run, each with its package.
const PROGRAMS: [(&str, &str); 3] = [
    ("server", "server"),
    ("client", "client"),
    ("actr-lite-registry-server", "actr-lite-registry"),
];

/// This package. Its library is up to date; that it is built along makes cargo choose the same features for the
/// dependencies as in the build of the tests, and not compile them again with others.
const WITH_SAME_FEATURES: [&str; 3] = ["--package", env!("CARGO_PKG_NAME"), "--lib"];

/// The programs, just built.
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
        BUILT.get_or_init(|| Self::build(Progress::OnFailure).unwrap_or_else(|error| panic!("{error:#}")))
    }

    /// Builds the programs, with cargo's progress on stderr.
    ///
    /// # Errors
    /// If they can't be built.
    pub fn build_visibly() -> anyhow::Result<Self> {
        Self::build(Progress::Live)
    }

    fn build(progress: Progress) -> anyhow::Result<Self> {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["build", "--message-format=json-render-diagnostics"])
            .args(BuildPlace::of_this_program()?.arguments())
            .args(
                PROGRAMS
                    .iter()
                    .flat_map(|(package, program)| ["--package", package, "--bin", program]),
            )
            .args(WITH_SAME_FEATURES)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(match progress {
                Progress::Live => Stdio::inherit(),
                Progress::OnFailure => Stdio::piped(),
            });
        // What cargo tells a program of its own package: a build script that looks at it (ring's) would run anew each
        // time that the build is started by another program.
        for (variable, _) in env::vars_os() {
            let name = variable.to_string_lossy();
            if ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_"]
                .iter()
                .any(|own| name.starts_with(own))
            {
                command.env_remove(&variable);
            }
        }
        let output = command
            .spawn()
            .and_then(|cargo| cargo.wait_with_output())
            .with_context(|| format!("cannot run {command:?}"))?;
        if !output.status.success() {
            bail!(
                "{command:?}: {}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Self::from_messages(&String::from_utf8_lossy(&output.stdout))
    }

    fn from_messages(messages: &str) -> anyhow::Result<Self> {
        let mut executables = Vec::new();
        for message in messages.lines().filter(|line| line.starts_with('{')) {
            let artifact: Artifact = serde_json::from_str(message).context("a message of cargo cannot be read")?;
            executables.extend(artifact.executable);
        }
        let executable = |name: &str| {
            let found = executables
                .iter()
                .find(|path| path.file_stem().is_some_and(|stem| stem == name));
            found
                .cloned()
                .with_context(|| format!("cargo has built no program {name}"))
        };
        Ok(Self {
            server: executable("server")?,
            client: executable("client")?,
            registry: executable("actr-lite-registry")?,
        })
    }
}

enum Progress {
    Live,
    OnFailure,
}

/// What is read of a message of cargo ("External tools" in the Cargo Book): only artifacts have an `executable`.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
}

/// Where the build that made this program put it: another build with these arguments finds its dependencies compiled.
#[derive(Debug, PartialEq, Eq)]
struct BuildPlace {
    target_dir: PathBuf,
    triple: Option<OsString>,
    profile: OsString,
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
            name if name == "debug" => "dev".into(),
            name => name.into(),
        };
        let above = profile_dir.parent()?;
        let (target_dir, triple) = if is_target_dir(above) {
            (above, None)
        } else {
            (above.parent().filter(|path| is_target_dir(path))?, above.file_name())
        };
        Some(Self {
            target_dir: target_dir.into(),
            triple: triple.map(Into::into),
            profile,
        })
    }

    fn arguments(self) -> Vec<OsString> {
        let mut arguments = vec![
            "--profile".into(),
            self.profile,
            "--target-dir".into(),
            self.target_dir.into(),
        ];
        if let Some(triple) = self.triple {
            arguments.extend(["--target".into(), triple]);
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
        assert_eq!(
            arguments("/w/built/debug/deps/promises-0123"),
            "--profile dev --target-dir /w/built"
        );
        assert_eq!(
            arguments("/w/built/release/demo"),
            "--profile release --target-dir /w/built"
        );
        assert_eq!(
            arguments("/w/built/wasm/debug/deps/promises-0123"),
            "--profile dev --target-dir /w/built --target wasm"
        );
    }

    #[test]
    fn a_program_that_was_moved_out_of_its_target_directory_is_an_error() {
        assert_eq!(BuildPlace::of(Path::new("/usr/local/bin/demo"), |_| false), None);
    }
}
