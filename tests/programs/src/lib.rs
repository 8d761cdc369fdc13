//! The programs of this workspace, built and run as processes on loopback: for the demo and for tests.
//!
//! In reading order:
//!
//! - [`checkout`]: the folder that the workspace lies in
//! - [`mod@build`]: the build, and where it puts the programs
//! - [`launch`]: a command line in the making
//! - [`process`]: a program that runs, and is killed when it is dropped
//! - [`output`]: the lines it prints, to be waited for
//! - [`command_line`]: a command as a person would type it
//! - [`address`]: ports of the loopback interface
//!
//! No path is compiled in: two checkouts may share one target folder, and a checkout may be moved.

pub mod address;
pub mod build;
pub mod checkout;
pub mod command_line;
pub mod launch;
pub mod output;
pub mod process;

pub use address::{port_of, registry_url, tls_registry_url, unused_port};
pub use build::{Executables, Program, Progress, build, build_with, own_package_variables, own_program, target_dir};
pub use checkout::Checkout;
pub use command_line::CommandLine;
pub use launch::Launch;
pub use output::{Line, Output, Source};
pub use process::{Finished, Process, Signal, WAIT_TIMEOUT};
