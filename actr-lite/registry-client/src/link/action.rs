use std::time::Duration;

use actr_lite_wire::proto::{SignalingEnvelope, signaling_to_actr::Payload};
use bytes::Bytes;

use crate::{
    error::RegistryLinkError, identity::Identity, registration::Registration, relayed::Relayed,
    renewal_token::RenewalToken,
};

/// What the shell does next. What takes time reports its result as an [`Event`].
#[derive(Debug, PartialEq)]
pub enum Action<W> {
    /// Ask AIS for an identity, which brings [`Event::Granted`]. It takes the place of a question that is under way.
    Register,
    /// Ask AIS for a new credential, which brings [`Event::Granted`]. No other question is under way.
    Renew {
        /// Whose.
        identity: Identity,
        /// What may renew it.
        token: RenewalToken,
    },
    /// The same by all that a registration shows, for a node whose renewal was refused.
    Reissue {
        /// Whose.
        identity: Identity,
        /// The last that it was given.
        token: RenewalToken,
    },
    /// Open a signaling connection as this node, which brings [`Event::Opened`]. It takes the place of one that is being
    /// opened.
    Open(Identity),
    /// Send this over the connection, with the time at which it is sent.
    Send(Box<SignalingEnvelope>),
    /// Ask for a sign of life over the connection.
    Ping,
    /// Close the connection in order, while other things go on.
    Close,
    /// Let go of the connection, which is of no use.
    Drop,
    /// Hand this over to who waits for it.
    Answer(W, Result<Payload, RegistryLinkError>),
    /// Hand this over to who follows what other nodes say, if anybody does.
    Relay(Relayed),
    /// Poll again at this time, if there is one, or after an event or a request, whatever comes first.
    Wait(Option<Duration>),
    /// The link has ended. Nothing comes after it.
    Stop,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// AIS has granted what was asked for, or has not.
    Granted(Result<Registration, RegistryLinkError>),
    /// The signaling connection is open, or could not be opened.
    Opened(Result<(), RegistryLinkError>),
    /// A message came over the connection.
    Received(Bytes),
    /// Anything else did.
    SignOfLife,
    /// The connection is lost.
    Lost(RegistryLinkError),
}
