//! Requests as envelopes, and envelopes as answers.

use std::time::Duration;

use actr_lite_wire::proto::{
    ActrRelay, ActrToSignaling, SignalingEnvelope, actr_to_signaling::Payload as RequestPayload,
    signaling_envelope::Flow, signaling_to_actr::Payload,
};
use bytes::Bytes;
use prost::Message as _;
use prost_types::Timestamp;
use tracing::debug;

use crate::{answer::Outcome, identity::Identity};

/// The envelope version that is written; the next one, without timestamps, is read too.
const ENVELOPE_VERSION: u32 = 1;

/// What the registry sends.
pub(super) enum Message {
    /// An answer of its own.
    Answer(Received),
    /// Another node's word.
    Relay(ActrRelay),
}

/// What the registry answers.
pub(super) struct Received {
    /// Which envelope it is about, if it says so.
    pub(super) reply_for: Option<String>,
    /// How long after 1970 it was sent, by the registry's calendar.
    pub(super) unix_time: Option<Duration>,
    pub(super) outcome: Outcome,
}

impl Message {
    /// What a message of the registry says to this node, if anything.
    pub(super) fn read(message: Bytes) -> Option<Self> {
        let envelope = match SignalingEnvelope::decode(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                debug!(reason = %error, "the registry sent what is not an envelope");
                return None;
            }
        };
        if !(ENVELOPE_VERSION..=ENVELOPE_VERSION + 1).contains(&envelope.envelope_version) {
            debug!(version = envelope.envelope_version, "envelope of an unknown version");
            return None;
        }
        let outcome = match envelope.flow {
            Some(Flow::EnvelopeError(error)) => Err(error),
            Some(Flow::ServerToActr(message)) => match message.payload? {
                Payload::Error(error) => Err(error),
                payload => Ok(payload),
            },
            Some(Flow::ActrRelay(relay)) => return Some(Self::Relay(relay)),
            _ => {
                debug!("the registry sent an envelope that is not for a node's requests");
                return None;
            }
        };
        Some(Self::Answer(Received {
            reply_for: envelope.reply_for,
            unix_time: envelope.timestamp.and_then(unix_time),
            outcome,
        }))
    }
}

fn unix_time(timestamp: Timestamp) -> Option<Duration> {
    let seconds = u64::try_from(timestamp.seconds).ok()?;
    Some(Duration::new(seconds, u32::try_from(timestamp.nanos).ok()?))
}

/// A request of the node, without the time at which it is sent.
pub(super) fn envelope(id: String, identity: &Identity, payload: RequestPayload) -> Box<SignalingEnvelope> {
    let request = ActrToSignaling {
        source: (&identity.actor_id).into(),
        credential: identity.credential.clone().into(),
        payload: Some(payload),
    };
    sealed(id, Flow::ActrToServer(request))
}

/// What is to be passed on to another node, likewise.
pub(super) fn relay_envelope(id: String, relay: ActrRelay) -> Box<SignalingEnvelope> {
    sealed(id, Flow::ActrRelay(relay))
}

fn sealed(id: String, flow: Flow) -> Box<SignalingEnvelope> {
    Box::new(SignalingEnvelope {
        envelope_version: ENVELOPE_VERSION,
        envelope_id: id,
        flow: Some(flow),
        ..SignalingEnvelope::default()
    })
}
