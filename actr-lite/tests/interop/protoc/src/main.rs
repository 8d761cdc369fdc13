//! What prost-build asks of protoc, done by protox, which is written in Rust: the build script of actr-protocol finds
//! it by the variable `PROTOC`, and the machine that builds the tests needs a Rust toolchain alone.
//!
//! `protoc [--include_imports] [--include_source_info] -o FILE [-I DIRECTORY]... PROTO...`

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, bail};
use prost::Message as _;

fn main() -> anyhow::Result<()> {
    let mut output = None;
    let mut includes = Vec::new();
    let mut protos = Vec::new();
    let mut arguments = env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let mut path = || {
            arguments
                .next()
                .map(PathBuf::from)
                .context("a path is missing at the end")
        };
        match argument.to_str() {
            Some("-o") => output = Some(path()?),
            Some("-I") => includes.push(path()?),
            // What protox does in any case.
            Some("--include_imports" | "--include_source_info") => {}
            Some(option) if option.starts_with('-') => bail!("{option} is not supported here"),
            _ => protos.push(PathBuf::from(argument)),
        }
    }
    let output = output.context("-o FILE is missing")?;
    let files = protox::compile(protos, includes)?;
    fs::write(&output, files.encode_to_vec()).with_context(|| format!("cannot write {}", output.display()))
}
