//! How actr-lite dials: a name is resolved, its addresses are tried one beside the other (RFC 8305, "happy eyeballs"), and
//! TLS is set up. Each step has a time limit of its own, and an error says which step failed, where, and after how long.
//!
//! In reading order:
//!
//! - [`connect`], [`secure`], [`leave_in_clear`]: the steps
//! - [`ClearText`]: who may be dialled without TLS
//! - [`resolve`]: from a name to addresses
//! - [`DialProgress`]: the step that a dial is at
//! - `race`: which address is tried when; it does no I/O
//! - [`rival`]: who else may be found where this process listens
//! - [`DialError`]: what comes out if nothing does

mod claim;
mod clear_text;
mod dial;
mod dial_error;
mod progress;
mod race;
mod resolve;

pub use claim::rival;
pub use clear_text::{ClearText, is_this_machine};
pub use dial::{TLS_TIMEOUT, connect, leave_in_clear, secure};
pub use dial_error::{DialError, FailedAttempt};
pub use progress::{DialProgress, Step, StepGuard};
pub use race::{ATTEMPT_TIMEOUT, MAX_ADDRESSES, STAGGER};
pub use resolve::{RESOLVE_TIMEOUT, resolve};
