//! What is installed with the programs: manual pages, completions, units, packages. What a machine has no tool for is skipped,
//! and said so: `cargo test -p packaging -- --nocapture` shows it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::print_stderr, reason = "what is skipped has to be seen")]

mod container;
mod debian;
mod installed;
mod machine;
mod manuals;
mod tool;
mod units;
