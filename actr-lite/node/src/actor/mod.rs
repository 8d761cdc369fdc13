//! What applications write against: services, workloads, contexts.
//!
//! It knows all below. It must not know how a node starts and stops.

pub(crate) mod actor;
pub(crate) mod assembly;
pub(crate) mod budget;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod context;
pub(crate) mod dispatcher;
pub(crate) mod local_calls;
pub(crate) mod own_connection;
pub(crate) mod registration;
pub(crate) mod router;
pub(crate) mod service;
pub(crate) mod streams;
pub(crate) mod task_outcome;
pub(crate) mod workload;
