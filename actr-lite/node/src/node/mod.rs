//! A node's life: it starts, is told to stop, and stops.
//!
//! It puts the parts together. Nothing else knows it.

pub(crate) mod actr_ref;
pub(crate) mod check_error;
pub(crate) mod hosted_registry;
mod preparation;
pub(crate) mod reach;
pub(crate) mod remedies;
pub(crate) mod shutdown;
pub(crate) mod shutdown_on_signal;
pub(crate) mod signals;
pub(crate) mod start;
pub(crate) mod start_error;
pub(crate) mod surface;
pub(crate) mod system;
pub(crate) mod view;
