//! Who may find a node, call it, and feed its streams: each way of saying so, at each door.

mod case;
mod doors;
mod streams;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Granted,
    /// Refused, with this among the words.
    Refused(&'static str),
}
