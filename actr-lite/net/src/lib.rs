//! How actr-lite dials and is dialled.
//!
//! To dial, a name is resolved, its addresses are tried one beside the other (RFC 8305, "happy eyeballs"), and TLS is set
//! up. Each step has a time limit of its own, and an error says which step failed, where, and after how long. In reading
//! order:
//!
//! - [`connect`], [`secure`], [`leave_in_clear`]: the steps
//! - [`ClearText`]: who may be dialled without TLS
//! - [`resolve`]: from a name to addresses
//! - [`DialProgress`]: the step that a dial is at
//! - `race`: which address is tried when; it does no I/O
//! - [`rival`]: who else may be found where this process listens
//! - [`DialError`]: what comes out if nothing does
//! - [`http_exchange`]: a request over a connection that was dialled for it
//!
//! A port takes connections from everybody, and answers each of them:
//!
//! - [`exposure`]: what other machines may reach
//! - [`inherited`]: sockets that the service manager has opened
//! - [`listener`]: accepting connections, also when file descriptors run out
//! - [`places`]: how many peers may be there that have not said who they are
//! - [`http_socket`]: HTTP that answers every peer
//! - [`http_connection`]: one connection, from its first request to its end
//! - [`host_check`]: by which names a listener may be addressed
//! - [`source`]: where a connection comes from
//! - [`complaints`]: what is counted and logged about peers that misbehave
//!
//! Behind both:
//!
//! - [`message_socket`]: a WebSocket that carries protobuf messages

mod claim;
mod clear_text;
pub mod complaints;
mod dial;
mod dial_error;
pub mod exposure;
pub mod host_check;
pub mod http_connection;
pub mod http_exchange;
pub mod http_socket;
pub mod inherited;
pub mod listener;
pub mod message_socket;
pub mod places;
mod progress;
mod race;
mod resolve;
pub mod source;

pub use claim::rival;
pub use clear_text::{ClearText, is_this_machine};
pub use dial::{TLS_TIMEOUT, connect, leave_in_clear, secure};
pub use dial_error::{DialError, FailedAttempt};
pub use progress::{DialProgress, Step, StepGuard};
pub use race::{ATTEMPT_TIMEOUT, MAX_ADDRESSES, STAGGER};
pub use resolve::{RESOLVE_TIMEOUT, resolve};
