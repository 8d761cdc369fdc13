//! The traces that the programs send to a collector, when they are built with the feature `otel`.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod collector;
mod messages;
mod outages;
mod programs_with_traces;
mod spans;
