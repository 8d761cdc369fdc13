//! Writes the manual pages and the shell completions of the programs into a folder:
//! `cargo run -p packaging -- FOLDER --date YYYY-MM-DD`.
//!
//! They are made of the programs' own command lines, each time that packages are built, so that nobody has to keep them up to
//! date.

mod programs;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Command, Parser};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

use crate::programs::{Program, programs};

/// Writes the manual pages and the shell completions of the programs
#[derive(Parser)]
struct Arguments {
    /// Where to: it gets the folders man, bash, zsh and fish
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// The day that the manual pages are of, so that the same sources always make the same pages
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: String,
}

fn main() -> anyhow::Result<()> {
    let Arguments { folder, date } = Arguments::parse();
    for program in programs() {
        let manual = write_manual(&folder.join("man"), &program, &date);
        manual.with_context(|| format!("the manual page of {}", program.name))?;
        for (shell, name) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
            let completion = write_completion(&folder.join(name), shell, &program);
            completion.with_context(|| format!("the completion of {} for {name}", program.name))?;
        }
    }
    Ok(())
}

fn write_manual(folder: &Path, program: &Program, date: &str) -> anyhow::Result<()> {
    let page = Man::new(program.command.clone()).manual("stream-register").date(date);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    text.extend_from_slice(program.sections.as_bytes());
    page.render_version_section(&mut text)?;
    // Two line breaks around an empty line are two too many.
    let text = String::from_utf8(text)?.replace(".br\n\n.br\n", ".sp\n");
    fs::create_dir_all(folder)?;
    fs::write(folder.join(format!("{}.1", program.name)), text)?;
    Ok(())
}

fn write_completion(folder: &Path, shell: Shell, program: &Program) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let mut command: Command = program.command.clone();
    generate_to(shell, &mut command, program.name, folder)?;
    Ok(())
}
