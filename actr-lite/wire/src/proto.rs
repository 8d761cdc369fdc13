//! The protocol's messages as prost types, made from `proto/*.proto`.
//!
//! They are what the bytes say, nothing is checked yet: [`crate::identity`], [`crate::credential`] and
//! [`crate::envelope`] turn them into types that can't be wrong.

// A registration is decoded once in a node's life: a box would cost every user more than it saves.
#![allow(clippy::large_enum_variant)]

include!(concat!(env!("OUT_DIR"), "/actr_lite.wire.rs"));
