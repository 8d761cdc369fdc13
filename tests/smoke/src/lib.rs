//! The smoke check: streams arrive by way of the real programs, one server stands in for another, and exit codes are
//! right.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod checkout_paths;
mod delivery;
mod failover;
mod packages;
mod readme;
mod test_files;
mod threat_model;
mod usage;
