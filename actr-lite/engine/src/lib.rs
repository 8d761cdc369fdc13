//! What a node decides, without I/O.
//!
//! Each module is one state machine: bytes, records and times go in, actions come out. None of them knows a socket, a
//! clock, a task or a lock. A shell owns those, calls the machine, and does what it says: the node with Tokio, the
//! simulation with a network and a clock of its own.

pub mod accounts;
pub mod begun;
pub mod connection;
pub mod frame_reader;
pub mod held_bytes;
pub mod inbox;
pub mod incoming;
pub mod latency_first;
pub mod memory;
pub mod message_reader;
pub mod outbox;
pub mod outgoing;
pub mod patience;
pub mod peers;
pub mod receive_error;
pub mod redials;
pub mod resend;
pub mod resumption;
pub mod retry;
pub mod runs;
pub mod served_calls;
pub mod shutdown;
pub mod upgrade;
pub mod usage;
