//! A small actor runtime that speaks actr's wire protocol.
//!
//! An actor is a [`Workload`]: services made of generated handler traits. [`ActrSystem`] reads its Actr.toml,
//! [`ActrSystem::attach`] joins the two to a [`Node`], and [`Node::start`] registers it and gives an [`ActrRef`].
//! Handlers get a [`Context`], with which they discover, call, and stream.
//!
//! A stream's receiver registers a callback ([`Context::register_stream`]) or subscribes ([`Context::subscribe`]), and
//! then asks the sender for the stream by a call of its own. The sender opens it ([`Context::open_stream`]) and sends.
//! Frames arrive in order; a slow receiver slows its sender down, and no other, or misses the oldest frames of a
//! latency-first stream ([`Delivery`]); a stream ends visibly at both ends ([`StreamEnd`], [`SendError`]). One that is
//! to outlive its sender is handed to [`StreamRegistration::resume_with`].
//!
//! A node that is to host a registry (`embedded = true` in its Actr.toml) needs the feature `registry-host`. Without it no
//! registry is compiled, and [`Node::start`] refuses to host one ([`HostError`]).
//!
//! In reading order: `system`, `node`, `hosted_registry`, `actr_ref`, `shutdown` (a node's life), `workload`, `service`,
//! `context`, `call`, `router` (what an application writes against), `discovery`, `sessions`, `session`, `departures`
//! (peers and what is said with them), `stream`, `lane` (how it gets there).

mod accounts;
mod actr_ref;
mod budget;
mod call;
mod clear_text;
mod connect_limit;
mod context;
mod contract_fit;
mod departures;
mod dest;
mod discover_error;
mod discovery;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod held_bytes;
mod hosted_registry;
mod lane;
mod limits;
mod lock_update;
mod node;
mod node_state;
mod own_connection;
mod peer_identities;
mod published_contracts;
mod random_stream_id;
mod reach;
mod realm_secret;
mod resumable;
mod router;
mod service;
mod session;
mod sessions;
mod shutdown;
mod shutdown_budget;
mod signals;
mod stream;
mod system;
mod task_outcome;
mod tasks;
mod tls;
mod workload;

pub use actr_lite_manifest::{ConfigOverride, ContractFingerprint, LockError, Manifest, ManifestError, resolve_path};
pub use actr_lite_quota::Limit;
pub use actr_lite_registry_client::RegistryLinkError;
pub use actr_lite_tls::TlsFileError;
pub use actr_lite_wire::{
    envelope::ErrorReply,
    error_code::ErrorCode,
    frame::{DataStream, FrameHints},
    identity::{ActrId, ActrType, ParseStreamIdError, StreamId},
    misbehaviour::{Misbehaviour, MisbehaviourKind},
    resume::RESUME_AFTER,
    sequence::SequenceTally,
};

pub use actr_ref::{ActrRef, ShutdownKind};
pub use budget::Budget;
pub use clear_text::InClearError;
pub use context::Context;
pub use dest::Dest;
pub use discover_error::DiscoverError;
pub use error::ActrError;
pub use hosted_registry::HostError;
pub use lane::{CloseReason, websocket::BindError};
pub use lock_update::UpdateLockError;
pub use node::{Node, StartError};
pub use published_contracts::PublishedContracts;
pub use random_stream_id::random_stream_id;
pub use realm_secret::{LoadSecretError, REALM_SECRET_VARIABLE};
pub use resumable::{ResumableStream, ResumeError, ResumeOptions};
pub use router::RouterError;
#[doc(hidden)]
pub use service::generated;
pub use service::{DispatchFuture, Rpc, Service, ServiceDescriptor};
pub use session::CallOptions;
pub use signals::Signals;
pub use stream::{
    Delivery, EndedStream, SendError, StreamEnd, StreamOptions, StreamProgress, StreamRegistration, StreamSender,
    SubscribeError, Subscription,
};
pub use system::{ActrSystem, MissingDependency};
pub use task_outcome::TaskOutcome;
pub use workload::Workload;
