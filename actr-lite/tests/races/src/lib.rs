//! Every order in which threads can meet: the runtime's own sources, compiled against loom's locks and atomics.
//!
//! A package of its own, so that the runtime has no second set of primitives in it, and `cargo test` does not compile loom.
//! What the sources import stands at the same path here: they themselves, or a stand-in for what has a socket or a runtime.
#![cfg(test)]

mod atomic;
#[path = "../../../quota/src/limit.rs"]
#[allow(dead_code, unreachable_pub)]
mod limit;
#[path = "../../../quota/src/quota.rs"]
#[allow(dead_code, unreachable_pub)]
mod quota;

#[allow(dead_code)]
mod lane;
#[path = "../../../node/src/readable_duration.rs"]
#[allow(dead_code)]
mod readable_duration;
#[allow(dead_code, unreachable_pub)]
mod stream;
#[allow(dead_code)]
mod sync;

mod answer_hold;
mod in_place;
mod looks;
mod quota_tests;
mod room;
mod still_clock;
