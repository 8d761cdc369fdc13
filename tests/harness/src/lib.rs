//! The harness of the tests with the real programs, which it builds and runs as processes on loopback.
//!
//! A test makes a [`Deployment`], launches programs in it, waits for what they print and for their end. In reading
//! order:
//!
//! - [`deployment`]: a directory with the shipped files, and the programs set up to use them
//! - [`certificates`]: what programs need for TLS
//! - [`programs`]: a command line in the making, a program that runs, and the lines it prints
//! - [`pseudo_terminal`]: a terminal whose other end a test holds (Linux)
//! - [`peer`]: nodes within the test's own process, for what the real programs never do
//! - [`summary`]: what `client --json` prints
//! - [`received`]: what a client's log says of its stream
//! - [`fault_proxy`]: a relay in front of a server that fails on request
//! - [`shifted_clock`]: a wall clock that a test can set, for one program (Linux)
//! - [`namespace`]: hosts of a network of the test's own (Linux, for root)
//! - [`split_network`]: two hosts and a router between them that can stop relaying (Linux, for root)
//! - [`fault_report`]: what a fault did to the streams that met it
//! - [`binaries`]: the programs that are tested
//!
//! Nothing here sleeps: whatever is waited for is an event, and the time given with it only bounds a test that has
//! failed already.

pub mod binaries;
pub mod certificates;
pub mod deployment;
pub mod fault_proxy;
pub mod fault_report;
#[cfg(target_os = "linux")]
pub mod namespace;
pub mod peer;
#[cfg(target_os = "linux")]
pub mod pseudo_terminal;
pub mod received;
#[cfg(target_os = "linux")]
pub mod shifted_clock;
#[cfg(target_os = "linux")]
pub mod split_network;
pub mod summary;

pub use binaries::Binaries;
pub use certificates::Certificates;
pub use deployment::Deployment;
pub use fault_proxy::{FaultProxy, Newcomers};
pub use fault_report::FaultReport;
#[cfg(target_os = "linux")]
pub use namespace::Namespace;
pub use programs::{
    Checkout, Finished, Launch, Line, Output, Process, Signal, Source, WAIT_TIMEOUT, own_program, port_of,
    registry_url, tls_registry_url, unused_port,
};
#[cfg(target_os = "linux")]
pub use pseudo_terminal::PseudoTerminal;
#[cfg(target_os = "linux")]
pub use shifted_clock::{DAY, ShiftedClock};
#[cfg(target_os = "linux")]
pub use split_network::{Host, SplitNetwork};
pub use summary::Summary;
