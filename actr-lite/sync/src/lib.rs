//! What threads of a node settle between themselves: who polls a callback, who is told of room, who is woken, who lets a
//! batch leave.
//!
//! Nothing here knows what a frame or a socket is, or the time. Each part has its lock or its atomics for itself, and is so
//! small that its tests try every order in which threads can meet: in them the primitives are those of loom.

pub mod answer_hold;
pub mod in_place;
mod primitives;
pub mod room;
