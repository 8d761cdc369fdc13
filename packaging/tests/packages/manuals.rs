//! Each program has a manual page and completions with all of its options.

use std::{fs, path::Path, process::Command};

use programs::own_program;
use tempfile::TempDir;

use crate::{
    installed::{PROGRAMS, install_programs},
    tool::{Tool, names, run},
};

fn written() -> TempDir {
    let folder = TempDir::new().unwrap();
    run(Command::new(own_program("packaging"))
        .arg(folder.path())
        .args(["--date", "2026-01-31"]));
    folder
}

/// The long options that `--help` of a program shows.
fn options(program: &Path) -> Vec<String> {
    let help = run(Command::new(program).arg("--help"));
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let options: Vec<_> = lines
        .filter_map(|line| line.split([' ', ',', '.']).find(|word| word.starts_with("--")))
        .map(ToOwned::to_owned)
        .collect();
    assert!(options.len() > 4, "{help}");
    options
}

#[test]
fn each_option_is_in_the_manual_page_and_the_completions() {
    let (written, bin) = (written(), TempDir::new().unwrap());
    install_programs(bin.path());
    for (_, name) in PROGRAMS {
        let read = |path: String| fs::read_to_string(written.path().join(path)).unwrap();
        let manual = read(format!("man/{name}.1")).replace("\\-", "-");
        let (bash, zsh) = (read(format!("bash/{name}.bash")), read(format!("zsh/_{name}")));
        let fish = read(format!("fish/{name}.fish"));
        for option in options(&bin.path().join(name)) {
            assert!(
                manual.contains(&format!("\\fB{option}\\fR")),
                "{option} is not in the manual page of {name}"
            );
            for completion in [&bash, &zsh] {
                assert!(completion.contains(&option), "{option} of {name} is not completed");
            }
            let long = format!("-l {}", option.trim_start_matches('-'));
            assert!(fish.contains(&long), "{option} of {name} is not completed by fish");
        }
    }
}

#[test]
fn manual_pages_are_written_as_they_should_be() {
    let written = written();
    let Some(mut mandoc) = Tool::new("mandoc", "mandoc").command() else {
        return;
    };
    // Levels above are about style.
    mandoc.args(["-T", "lint", "-W", "warning"]);
    for name in names(&written.path().join("man")) {
        mandoc.arg(written.path().join("man").join(name));
    }
    run(&mut mandoc);
}

#[test]
fn shells_read_their_completions() {
    let written = written();
    for shell in ["bash", "zsh", "fish"] {
        let folder = written.path().join(shell);
        for name in names(&folder) {
            // Each of them has the option to look at a script, and not to run it.
            if let Some(mut command) = Tool::new(shell, shell).command() {
                assert_eq!(run(command.arg("-n").arg(folder.join(name))), "");
            }
        }
    }
}
