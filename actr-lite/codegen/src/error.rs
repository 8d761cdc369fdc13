//! Why a proto file was not compiled.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::canonical_form::CanonicalFormError;

/// Why nothing was generated: what is wrong, where, and what to do.
///
/// Its `Debug` form is the readable text with its causes, as that is what cargo shows when the
/// `main` of a build script returns the error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file wasn't found, or isn't a valid proto file.
    // protox tells the place of the fault only in its `Debug` form.
    #[error("{0:?}")]
    Proto(protox::Error),

    /// The text of a proto file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The generated code could not be written.
    #[error("cannot write the generated code to {}", out_dir.display())]
    Write {
        /// The folder that was to hold the code.
        out_dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// No folder was named, and this isn't a build script.
    #[error(
        "OUT_DIR is not set: call `compile` from a build script, or name a folder with \
         `Compiler::out_dir`"
    )]
    NoOutDir,

    /// A proto file without a package.
    #[error(
        "{file} has no package, which every route starts with: add a line such as \
         `package my_service;`"
    )]
    NoPackage {
        /// The proto file.
        file: String,
    },

    /// A service without rpcs, for which there is nothing to generate.
    #[error("{file}:{line}: service `{service}` has no rpc: add one, or remove the service")]
    EmptyService {
        /// The service's full name.
        service: String,
        /// The proto file.
        file: String,
        /// The line of the service, from 1.
        line: usize,
    },

    /// A gRPC streaming rpc.
    #[error(
        "{rpc} is declared with `stream`, but the streams of this runtime are not gRPC streams: \
         make it a unary rpc that agrees on a stream id, and send the frames as a DataStream"
    )]
    StreamingRpc {
        /// The rpc.
        rpc: RpcSite,
    },

    /// Two rpcs with one request message.
    #[error(
        "{first} and {second} share the request message `{message}`, but the request message \
         alone tells which rpc a call is for: make a message for each rpc"
    )]
    SharedRequest {
        /// The full name of the message.
        message: String,
        /// The rpc that comes first.
        first: Box<RpcSite>,
        /// The rpc that uses the message again.
        second: Box<RpcSite>,
    },

    /// An rpc whose request is one of protobuf's own messages.
    #[error(
        "{rpc} takes protobuf's own message `{message}`, whose Rust type belongs to another crate \
         and can't be given a route: make a message for the rpc"
    )]
    ForeignRequest {
        /// The rpc.
        rpc: RpcSite,
        /// The full name of the message.
        message: String,
    },

    /// A proto file with a service that imports another file.
    #[error(
        "{file} defines a service and imports {import}, but the fingerprint that protects the \
         service's contract covers one file alone: move the messages of the service into {file}"
    )]
    ImportBesideService {
        /// The proto file that defines the service.
        file: String,
        /// The file that it imports.
        import: String,
    },

    /// A proto file with something that has no settled fingerprint.
    #[error("cannot compute the fingerprint of {file}: {reason}")]
    Fingerprint {
        /// The proto file.
        file: String,
        /// The reason.
        reason: CanonicalFormError,
    },
}

impl From<protox::Error> for Error {
    fn from(error: protox::Error) -> Self {
        Self::Proto(error)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// An rpc and where it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcSite {
    /// The rpc's route, `{package}.{Service}.{Method}`.
    pub route: String,
    /// The proto file, as named relative to the include folder.
    pub file: String,
    /// The line of the declaration, from 1.
    pub line: usize,
}

impl fmt::Display for RpcSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rpc `{}` ({}:{})", self.route, self.file, self.line)
    }
}
