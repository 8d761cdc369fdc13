//! Limits with shares: a whole, parts of it, parts of those.
//!
//! [`Quota::take`] takes from a part and from everything above it, or from nothing. What was taken is a [`Permit`], which
//! gives it back when it is dropped. A permit for bytes can grow and shrink with what it stands for. [`Parts`] finds the
//! part of a realm, an address or a peer, and forgets those that nobody uses.
//!
//! [`Places`] has no room for everybody, and whoever takes most of it has to go first.
//!
//! Counting costs one atomic operation for each level. Nothing here waits, locks (but [`Parts`], for a look-up) or knows
//! the time.

mod atomic;
mod limit;
mod parts;
mod places;
mod quota;

pub use limit::Limit;
pub use parts::Parts;
pub use places::Places;
pub use quota::{Modesty, Permit, Quota};
