//! How memory is counted beside the bytes of what is kept.

/// What is counted for a node beside its contract, its access list and its address: its entry, those in the index, and whom
/// it has reached. Measured, at the most that all of this can be.
pub const NODE_BYTES: usize = 4096;

/// What the system's allocator takes for each piece of memory beside its bytes.
pub(super) const ALLOCATION: usize = 16;
