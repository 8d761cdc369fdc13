//! The protocol's messages as prost types, made from `proto/*.proto`.
//!
//! The code is generated ahead of time, as the protocol hardly changes: a build script would make everybody who builds
//! this crate wait for a compiler of proto files first. A test holds it against the proto files.
//!
//! They are what the bytes say, nothing is checked yet: [`crate::identity`], [`crate::credential`] and
//! [`crate::envelope`] turn them into types that can't be wrong.

// A registration is decoded once in a node's life: a box would cost every user more than it saves.
#![allow(clippy::large_enum_variant)]

include!("../proto/messages.rs");
