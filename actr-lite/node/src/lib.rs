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
//! The layers, from the ground; each knows only those before it: `trace`, `tally`, `limits`, `lane`, `stream`, `error`, `session`, `peers`,
//! `contracts`, `actor`, `resumable`, `node`. Each folder's first lines say what it knows and what it must not know.

mod actor;
mod contracts;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod lane;
mod limits;
mod node;
mod peers;
mod readable_duration;
mod resumable;
mod session;
mod settings;
mod stream;
mod sync;
mod tally;
mod tasks;
mod trace;

pub use actr_lite_manifest::{
    ConfigOverride, ContractFingerprint, LockError, Manifest, ManifestError, Problems, resolve_path,
};
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
    trace_context::{SpanId, TraceContext, TraceId, TraceState},
};

#[doc(hidden)]
pub use actor::service::generated;
pub use actor::{
    budget::Budget,
    context::Context,
    registration::StreamRegistration,
    router::RouterError,
    service::{DispatchFuture, Rpc, Service, ServiceDescriptor},
    task_outcome::TaskOutcome,
    workload::Workload,
};
pub use contracts::{lock_update::UpdateLockError, published_contracts::PublishedContracts};
pub use error::{actr_error::ActrError, dest::Dest, discover_error::DiscoverError};
pub use lane::close_reason::CloseReason;
pub use node::{
    actr_ref::ActrRef,
    check_error::CheckError,
    hosted_registry::error::HostError,
    shutdown_on_signal::ShutdownKind,
    signals::Signals,
    start::Node,
    start_error::StartError,
    surface::SurfaceError,
    system::{ActrSystem, MissingDependency},
};
pub use peers::acceptor::BindError;
pub use resumable::{options::ResumeOptions, resumable_stream::ResumableStream, resume_error::ResumeError};
pub use session::call_options::CallOptions;
pub use settings::{
    clear_text::InClearError,
    realm_secret::{LoadSecretError, REALM_SECRET_VARIABLE},
    webrtc::LoadTurnPasswordError,
};
pub use stream::{
    options::{Delivery, StreamOptions},
    progress::StreamProgress,
    random_stream_id::random_stream_id,
    send_error::{EndedStream, SendError},
    sender::StreamSender,
    stream_end::StreamEnd,
    subscription::Subscription,
    subscriptions::SubscribeError,
};
pub use trace::span_contexts::SpanContexts;
