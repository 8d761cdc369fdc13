//! What applications are told when something fails, and the name of whom they called.
//!
//! It knows the errors of streams and of the registry. It must not know a connection: whoever keeps an error keeps nothing
//! open.

pub(crate) mod actr_error;
pub(crate) mod dest;
pub(crate) mod discover_error;
