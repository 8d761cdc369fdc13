use std::{
    fmt::Display,
    task::{Context, Poll},
};

use actr_lite_engine::begun::Partial;
use actr_lite_wire::{misbehaviour::MisbehaviourKind, websocket::CloseCode};
use bytes::Bytes;

use crate::lane::close_reason::CloseReason;

/// Takes what a lane brings, in the task that reads it.
pub(crate) trait Receiver: Send + 'static {
    /// Takes one message's records.
    ///
    /// # Errors
    /// When the peer broke the protocol: the connection has to be closed. Records before that were taken.
    fn receive(&mut self, message: Bytes) -> Result<(), Violation>;

    /// Ready when more may be received.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// The record in parts that is under way.
    fn partial(&self) -> Partial;

    /// Counts and logs what the peer did: its connection is about to be closed for it.
    fn complain(&self, kind: MisbehaviourKind, reason: &dyn Display);

    /// The lane is closed; nothing more comes.
    fn closed(&mut self, reason: CloseReason);
}

/// How a peer broke the protocol.
#[derive(Debug)]
pub(crate) struct Violation {
    /// What the connection is to be closed with (RFC 6455 §7.4.1).
    pub(crate) code: CloseCode,
    /// For people.
    pub(crate) reason: String,
}
