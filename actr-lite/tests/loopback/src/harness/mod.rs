//! What the tests are made of: a world with a registry, nodes in it, the messages they exchange, and scenes of all that.

pub(crate) mod address;
pub(crate) mod deadline;
pub(crate) mod error_reply;
pub(crate) mod frozen_clock;
pub(crate) mod messages;
pub(crate) mod mortal;
pub(crate) mod node_plan;
pub(crate) mod pair;
pub(crate) mod server;
pub(crate) mod stream;
pub(crate) mod waiting_server;
mod workload;
pub(crate) mod world;
