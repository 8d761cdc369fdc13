//! The registry of actr-lite: it gives nodes their identity and tells them where other nodes are.
//!
//! One port serves both halves of the protocol: AIS (`POST /ais/register`, `POST /ais/renew`, `POST /ais/reissue`) over HTTP, and signaling
//! (`GET /signaling/ws`) over WebSocket. A node embeds it with [`Registry`]; the program of
//! `actr-lite-registry-server` runs it alone. In reading order:
//!
//! - [`registry`]: the port, the tasks behind it, and their end
//! - [`options`]: what can be set
//! - [`directory`]: who is registered, as plain data with time as an argument
//! - `service`: routes requests
//! - `ais`: registration and renewal
//! - `advice`: how to change a limit that was met
//! - `gate`: who may open a signaling connection
//! - [`ledger`]: who holds how much of what all share
//! - `in_flight`: the memory for what is under way
//! - `body`: the bodies of requests
//! - `lane_address`: which addresses of nodes others are told
//! - `origin`: where a connection comes from, and how
//! - `possession`: whether a request is made by the node whose credential or token it shows
//! - `permits`: which connections there are at a time
//! - `rates`: how often somebody may ask for something
//! - [`state`]: what it decides by, as plain data
//! - [`sessions`]: the open signaling connections
//! - `envelope_socket`: envelopes over its WebSocket
//! - [`conversation`]: what is said over one, without I/O
//! - [`ending`]: why one ends
//! - `session`, `line`: the task of one, and how it is reached
//! - [`answer`]: what is answered to one signaling request, in steps
//! - `relay`: what nodes say to each other by way of the registry
//! - [`realms`]: which realms there are, who belongs to one, and who may register which type there
//! - `journal`: what happens, noted for all who want to know
//! - `audit`: what was granted and refused, in a file
//! - [`check`]: what is wrong with its settings, before it runs
//! - `tally`: how often it happened
//! - `view`: what it shows of itself
//! - `renewal`: what a node shows to get its next credential
//! - `failure_limit`: how often somebody may be wrong about that
//! - `authority`: keys, credentials and tokens, made with the system's randomness
//! - `key_ring`, `key_file`: the keys with which it signs, and where they are kept
//! - [`turn_relays`]: credentials for relays of the WebRTC lane
//! - `shared`: what all connections have in common
//! - `upkeep`: what it does by the clock, unasked

mod advice;
mod ais;
pub mod answer;
mod audit;
mod authority;
mod body;
pub mod check;
pub mod conversation;
pub mod directory;
pub mod ending;
mod envelope_socket;
mod failure_limit;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod in_flight;
mod journal;
mod key_file;
mod key_ring;
mod lane_address;
pub mod ledger;
mod line;
pub mod options;
mod origin;
mod permits;
mod possession;
mod rates;
pub mod realms;
pub mod registry;
mod relay;
mod renewal;
mod service;
mod session;
pub mod sessions;
mod shared;
pub mod state;
mod tally;
pub mod turn_relays;
mod upkeep;
mod view;

pub use ais::RequestError;
pub use audit::AuditError;
pub use directory::REGISTER_AGAIN;
pub use gate::{Claim, Refusal};
pub use key_file::KeyFileError;
pub use options::Options;
pub use possession::PossessionError;
pub use realms::Realms;
pub use registry::{Registry, RegistryError, RegistryHandle};
