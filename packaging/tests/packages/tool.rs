use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

/// A tool of the system that not each machine has.
pub(crate) struct Tool {
    name: &'static str,
    package: &'static str,
}

impl Tool {
    /// The tool, and the Debian package that has it.
    pub(crate) const fn new(name: &'static str, package: &'static str) -> Self {
        Self { name, package }
    }

    /// A command line with it; without the tool, nothing, and a line that says what is not tested.
    pub(crate) fn command(&self) -> Option<Command> {
        let folders = env::var_os("PATH").unwrap_or_default();
        let is_here = env::split_paths(&folders).any(|folder| folder.join(self.name).is_file());
        if !is_here {
            eprintln!(
                "skipped: there is no {}; apt-get install {} brings it",
                self.name, self.package
            );
            return None;
        }
        let mut command = Command::new(self.name);
        command.stdin(Stdio::null());
        Some(command)
    }
}

/// Runs it; what it has printed, on both streams.
///
/// # Panics
/// If it fails.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{printed}", output.status);
    printed
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
