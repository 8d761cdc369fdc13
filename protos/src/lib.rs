//! The contract that server and client share, and the Rust code generated from it.
//!
//! Each module holds one proto package of this folder. The build script generates it with
//! the crate `actr-lite-codegen`; no protoc is needed. For a service
//! `S` it holds
//!
//! - the messages, each request with its route and its response type ([`actr_lite::Rpc`]), so that
//!   a call needs only the request;
//! - `SHandler`, the trait that the actor implements, with plain `async fn`s;
//! - `SDispatcher`, which serves the routes of `S` with a handler ([`actr_lite::Service`]);
//! - `S_DESCRIPTOR`, the service's name, routes, proto text and semantic fingerprint.
//!
//! # Adding a service
//!
//! 1. Write `my_service.proto` beside the others, with `syntax = "proto3"` and a `package` of its own. Every
//!    rpc is unary and has a request message of its own; what is longer than a reply goes over a
//!    stream. Comment every message, field and rpc: the comments become the Rust documentation,
//!    and without them the `missing_docs` lint warns.
//! 2. Add the file to the list in `build.rs`, and a module that includes the package to
//!    `src/lib.rs`, like those below.
//! 3. Implement `MyServiceHandler` in the crate of the actor, and attach
//!    `MyServiceDispatcher::new(handler)` to its node.
//! 4. If other nodes may call the service, name the proto file under `exports` in the actor's
//!    `Actr.toml`.

use actr_lite::ActrError;

/// How many frames a request asks for.
///
/// # Errors
/// [`actr_lite::ErrorCode::InvalidArgument`] if the number is negative.
pub fn frame_count(message_count: i32) -> Result<u64, ActrError> {
    u64::try_from(message_count)
        .map_err(|_| ActrError::invalid_argument(format!("message_count is {message_count}, but must be 0 or more")))
}

/// Package `stream_server`: the service that the server offers to other nodes.
pub mod stream_server {
    include!(concat!(env!("OUT_DIR"), "/stream_server.rs"));
}

/// Package `stream_client`: the client's service for its own program, never exported.
pub mod stream_client {
    include!(concat!(env!("OUT_DIR"), "/stream_client.rs"));
}
