//! Finding a node of a type whose contract is the one that this node was built for, and the lock file that says which.
//!
//! It knows the registry and connections. It must not know contexts or services.

mod checked_candidates;
pub(crate) mod contract_fit;
pub(crate) mod discovery;
pub(crate) mod lock_update;
pub(crate) mod locked_contracts;
#[cfg(test)]
mod named_candidates;
pub(crate) mod published_contracts;
