//! Generates, at build time, the Rust code of the services that an actor offers or calls.
//!
//! A proto file goes in; out come the messages (by prost) and, for each service, a handler trait,
//! a dispatcher, a descriptor, and for each request message its route and response type. protox
//! parses the files, so that no protoc has to be installed.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), actr_lite_codegen::Error> {
//!     actr_lite_codegen::compile(&["protos/stream_server.proto"], &["protos"])
//! }
//! ```
//!
//! ```text
//! // src/lib.rs
//! pub mod stream_server {
//!     include!(concat!(env!("OUT_DIR"), "/stream_server.rs"));
//! }
//! ```
//!
//! The crate that includes the code depends on `actr-lite` and `prost`. Comments of the proto
//! become doc comments; a service or rpc without one gets a sentence that names it, but a message
//! or field without one stays undocumented.
//!
//! What this generator asks of a proto file, each a build error if it isn't so:
//! - it has a package, as a route is `{package}.{Service}.{Method}`;
//! - every rpc is unary: the streams of this runtime aren't gRPC streams;
//! - every rpc has a request message of its own, as the message alone names the route of a call;
//! - every service has an rpc;
//! - a file with a service holds the messages of that service and imports at most protobuf's own
//!   files, as the fingerprint of the contract ([`proto_fingerprint`]) covers one file;
//! - such a file has none of the few things that the fingerprint doesn't cover ([`CanonicalFormError`]).

mod canonical_form;
mod compiler;
mod contract;
mod error;
mod fingerprint;
mod service;

use std::path::Path;

pub use canonical_form::CanonicalFormError;
pub use compiler::Compiler;
pub use error::{Error, RpcSite};
pub use fingerprint::proto_fingerprint;

/// Compiles `protos`, found under the folders `includes`, into the `OUT_DIR` of a build script:
/// one file for each package, named as by prost-build (`{package}.rs`).
///
/// It tells cargo to run the build script again when one of the files, or a file they import, changes. Outside of a
/// build script use [`Compiler::out_dir`].
///
/// # Errors
///
/// A file that can't be read, parsed or written, and a proto that breaks a rule of the crate's
/// front page. Nothing is written unless all files pass.
pub fn compile(protos: &[impl AsRef<Path>], includes: &[impl AsRef<Path>]) -> Result<(), Error> {
    Compiler::new().compile(protos, includes)
}
