use std::time::Duration;

use actr_lite_engine::upgrade::request::UpgradeRequest;
use bytes::BytesMut;

use crate::{handshake::Unsent, network::Socket};

/// A peer dials this node.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) socket: Socket,
    /// Among those that are on their way to an upgrade.
    pub(crate) place: u64,
    pub(crate) buffer: BytesMut,
    pub(crate) deadline: Duration,
    /// What it asks for, and the request for the key to check that with.
    pub(crate) asked: Option<(u64, UpgradeRequest)>,
    pub(crate) refusal: Option<Unsent>,
}
