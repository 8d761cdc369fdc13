//! What peers make this node hold, and how much of it they may.
//!
//! It knows quotas, realms and peers as names. It must not know what it counts for: connections, calls, streams.

pub(crate) mod occupancy;
