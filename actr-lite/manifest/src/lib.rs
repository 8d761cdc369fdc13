//! `Actr.toml` and `Actr.lock.toml`, parsed at the edge into types that can't be wrong.
//!
//! Reads files when asked to; holds no clock, no socket, and does no I/O beyond the files named in its arguments. Every
//! error is one line that says where, which key, what is expected, what was found and what to do. In reading order:
//!
//! - [`Manifest`]: what an `Actr.toml` says, with [`ConfigOverride`]s applied; [`resolve_path`] finds the file
//! - [`Package`], [`System`], [`Dependency`]: its sections
//! - [`Limits`], [`RegistryLimits`]: what may happen at once, as numbers and times that can't be out of range
//! - [`Tls`]: the files of a node that speaks TLS
//! - [`WebRtc`]: when a node uses WebRTC, and who helps it through NAT
//! - [`SignalingUrl`], [`WebSocketUrl`]: where the registry and a node's data lane are
//! - [`ManifestError`], [`Place`], [`Problems`]: what is wrong, where, and all of it
//! - [`Lock`]: what an `Actr.lock.toml` says, read and written
//! - [`ContractFingerprint`], [`FileFingerprint`], [`Timestamp`]: its values
//!
//! A new key is a field of its section's type, with a default unless it must be there, and a line in `reference/`, from
//! which errors take what they suggest. Only a path, which is relative to the file's folder, and a rule about two keys
//! need more: see `System::settled`.

mod acl;
mod actr_type;
mod addresses;
mod admin;
mod bounded;
mod config_override;
mod dependency;
mod dialable;
mod document;
mod error;
mod expecting;
mod file;
mod fingerprint;
mod key_path;
mod limits;
mod lock;
mod lock_error;
mod manifest;
mod mending;
mod package;
mod place;
mod problems;
mod read_error;
mod reader;
mod reference;
mod replacement;
mod resolve;
mod shell_word;
mod shown;
mod signaling_url;
mod suggestion;
mod syntax_problem;
mod system;
mod timestamp;
mod tls;
mod webrtc;
mod websocket_url;

pub use admin::Admin;
pub use bounded::{Bounded, Lifetime, OutOfRange, Timeout, TimeoutError};
pub use config_override::{ConfigOverride, ParseConfigOverrideError};
pub use dependency::Dependency;
pub use error::ManifestError;
pub use file::MAX_FILE_LEN;
pub use fingerprint::{ContractFingerprint, FileFingerprint, ParseFingerprintError};
pub use limits::{Count, HeldBytes, Limits, MetadataBytes, Realms, RegistryLimits};
pub use lock::{Lock, LockedDependency, LockedFile};
pub use lock_error::{LockError, UpdateCommand, WriteLockError};
pub use manifest::{EDITION, Manifest};
pub use package::Package;
pub use place::{Place, Position};
pub use problems::Problems;
pub use resolve::resolve_path;
pub use signaling_url::{ParseSignalingUrlError, SIGNALING_PATH, SignalingUrl};
pub use system::{Deployment, Discovery, Signaling, System, WebSocket};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use tls::{Tls, TlsIdentity};
pub use webrtc::{MAX_ICE_SERVERS, WebRtc, WebRtcMode};
pub use websocket_url::{ParseWebSocketUrlError, WebSocketUrl};
