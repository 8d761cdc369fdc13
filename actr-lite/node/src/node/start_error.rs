use std::{path::PathBuf, time::Duration};

use actr_lite_manifest::LockError;
use actr_lite_net::exposure::ExposureError;
use actr_lite_registry_client::RegistryLinkError;
use actr_lite_tls::{HandshakeError, TlsFileError};
use thiserror::Error;

use crate::{
    actor::router::RouterError,
    error::{actr_error::ActrError, discover_error::DiscoverError},
    node::{hosted_registry::error::HostError, surface::SurfaceError},
    peers::acceptor::BindError,
    readable_duration::readable,
    settings::{clear_text::InClearError, realm_secret::LoadSecretError, webrtc::LoadTurnPasswordError},
};

/// Why a node did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The lock file is missing or broken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The lock file lacks a dependency; only [`Node::check`](crate::Node::check) tells it, as a node that does not look for
    /// the dependency does not miss it.
    #[error(transparent)]
    NotLocked(DiscoverError),
    /// The node's certificate is not valid now; only [`Node::check`](crate::Node::check) tells it, as the files may be
    /// replaced while the node runs.
    #[error("{}: {cause}", .path.display())]
    Certificate {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        cause: Box<HandshakeError>,
    },
    /// Services and Actr.toml don't match.
    #[error(transparent)]
    Router(#[from] RouterError),
    /// A file of `[system.tls]` can't be used.
    #[error(transparent)]
    Tls(#[from] TlsFileError),
    /// The data lane can't listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The registry can't be hosted, or its URL is not valid.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The realm's secret can't be loaded.
    #[error(transparent)]
    RealmSecret(#[from] LoadSecretError),
    /// The password of the node's relays can't be loaded.
    #[error(transparent)]
    TurnPassword(#[from] LoadTurnPasswordError),
    /// No dialler of the data lane would accept its certificate.
    #[error(
        "[system.websocket] listen: nobody gets to the data lane at {host}: {cause}; or write advertised = \
         \"wss://HOST:PORT\" with a name that the certificate has, and a port other than 0 in both"
    )]
    OwnDataLane {
        /// What is dialled.
        host: String,
        /// What a dial would come to.
        cause: Box<HandshakeError>,
    },
    /// Its credential, or those of others, would be sent without TLS.
    #[error(transparent)]
    InClear(#[from] InClearError),
    /// Other machines could reach something that is not protected.
    #[error(transparent)]
    Exposed(#[from] ExposureError),
    /// No try to reach the registry succeeded in time.
    #[error(
        "this node could not be registered within {}: {cause}; start the registry (a server with embedded = true hosts \
         it), or correct [system.signaling] url",
        readable(*.after)
    )]
    NotRegistered {
        /// How long it was tried.
        after: Duration,
        /// What the last try said.
        cause: String,
    },
    /// The registry had not answered yet when the time was over.
    #[error(
        "this node could not be registered within {}: {standing}; give it more time, or, if the registry never answers, \
         restart it, or correct [system.signaling] url",
        readable(*.after)
    )]
    NoAnswer {
        /// How long it was waited.
        after: Duration,
        /// What was waited for.
        standing: String,
    },
    /// The registry's answer is final.
    #[error(transparent)]
    Link(#[from] RegistryLinkError),
    /// It can't tell how it is.
    #[error(transparent)]
    Surface(#[from] SurfaceError),
    /// `on_start` failed.
    #[error("on_start failed: {0}")]
    OnStart(ActrError),
}
