//! Frames as they come: which, in what order, and whose.

mod callback;
mod ends;
mod order;
mod send_stream;
