//! A node's side of the registry's protocol: the lasting connection to a registry.
//!
//! In reading order:
//!
//! - [`RegistryLink`]: what a node holds, and asks
//! - [`RegistryUrl`], [`LinkConfig`]: where the registry is, and what is registered there
//! - [`LoadReport`], [`LoadSource`]: what heartbeats tell of the node
//! - [`Identity`], [`LinkState`], [`RegistryLinkError`], [`Candidate`]: what comes out
//! - [`link`]: what a link decides, without I/O
//! - [`Relayed`]: what other nodes say over it
//! - [`Request`], [`answer`]: what can be asked, and what answers say
//! - `registration`, `renewal_token`, [`TurnCredential`]: what the registry grants
//! - `driver`: the task that does what the link decides; `shared`: what it and the link's handles have in common
//! - `spread`: which of several equal candidates comes first
//! - `refusal_code`: what kinds of no there are
//! - `ais`: registration and renewal over HTTP
//! - `http_answer`: answers of something that is no registry
//! - `signaling`: opening a signaling connection
//! - `upgrade`: how HTTP becomes a WebSocket
//! - `connection`: one signaling connection
//! - `dial`: the seam between a link and the network

pub mod answer;
pub mod link;

mod ais;
mod candidate;
mod config;
mod connection;
mod dial;
mod driver;
mod error;
mod http_answer;
mod identity;
mod load;
mod refusal_code;
mod registration;
mod registry_link;
mod registry_url;
mod relayed;
mod renewal_token;
mod request;
mod shared;
mod signaling;
mod spread;
mod state;
mod turn_credential;
mod upgrade;

#[cfg(test)]
mod tests;

pub use ais::ANSWER_TIMEOUT;
pub use candidate::{CANDIDATES, Candidate, PublishedContract};
pub use config::{LinkConfig, reissue_request, renew_request};
pub use error::RegistryLinkError;
pub use identity::Identity;
pub use load::{LoadReport, LoadSource};
pub use registration::Registration;
pub use registry_link::RegistryLink;
pub use registry_url::{ParseRegistryUrlError, RegistryUrl};
pub use relayed::Relayed;
pub use renewal_token::RenewalToken;
pub use request::{REQUEST_TIMEOUT, Request, UNREGISTER_TIMEOUT};
pub use signaling::MAX_MESSAGE_LEN;
pub use state::LinkState;
pub use turn_credential::TurnCredential;
