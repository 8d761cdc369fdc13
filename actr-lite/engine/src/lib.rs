//! What a node decides, without I/O.
//!
//! Each module is one state machine: bytes, records and times go in, actions come out. None of them knows a socket, a
//! clock, a task or a lock. A shell owns those, calls the machine, and does what it says: the node with Tokio, the
//! simulation with a network and a clock of its own.

pub mod connection;
pub mod memory;
pub mod outbox;
