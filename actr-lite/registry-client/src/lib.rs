//! A node's side of the registry's protocol: the lasting connection to a registry.
//!
//! In reading order:
//!
//! - [`RegistryLink`]: what a node holds, and asks
//! - [`RegistryUrl`], [`LinkConfig`]: where the registry is, and what is registered there
//! - [`LoadReport`], [`LoadSource`]: what heartbeats tell of the node
//! - [`Identity`], [`LinkState`], [`RegistryLinkError`]: what comes out
//! - `request`, `requests`: what can be asked, and who waits for an answer
//! - `signing_keys`: the registry's keys that are known already
//! - `upkeep`: the task behind a link: register, connect, and both again when they are lost
//! - `ais`: registration and renewal over HTTP
//! - `http_answer`: answers of something that is no registry
//! - `signaling`: opening a signaling connection
//! - `upgrade`: how HTTP becomes a WebSocket
//! - `session`: one signaling connection
//! - `renewal`: a fresh credential in time
//! - `retry`: how long to wait between tries
//! - `shared`: what a link's handles and its task have in common
//! - `calendar`: what time it is at the registry
//! - `outage`: how often a log tells that the registry is away
//! - `mismatch`: more than one registry behind an address
//! - `dial`: the seam between a link and the network

mod ais;
mod calendar;
mod config;
mod dial;
mod error;
mod http_answer;
mod identity;
mod link;
mod load;
mod mismatch;
mod outage;
mod registry_url;
mod renewal;
mod request;
mod requests;
mod retry;
mod session;
mod shared;
mod signaling;
mod signing_keys;
mod state;
mod upgrade;
mod upkeep;

#[cfg(test)]
mod tests;

pub use config::LinkConfig;
pub use error::RegistryLinkError;
pub use identity::Identity;
pub use link::{Candidate, OLD_KEY_PATIENCE, PublishedContract, RegistryLink};
pub use load::{LoadReport, LoadSource};
pub use registry_url::{ParseRegistryUrlError, RegistryUrl};
pub use request::{REQUEST_TIMEOUT, UNREGISTER_TIMEOUT};
pub use state::LinkState;
