//! What threads settle between themselves: who polls a callback, who is told of room, who lets a batch leave.
//!
//! It must not know what a frame or a socket is, or the time. Each part has its lock or its atomics for itself, and is so small
//! that `actr-lite/tests/races` tries every order in which threads can meet in it: there the primitives are those of loom. The
//! inbox and the outbox take their locks from here, so that it tries them too.

pub(crate) mod answer_hold;
pub(crate) mod in_place;
pub(crate) mod primitives;
pub(crate) mod room;
