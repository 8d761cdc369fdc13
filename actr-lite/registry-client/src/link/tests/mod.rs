//! What a link decides, with a registry that answers as each test says.

mod properties;
mod renewal;
mod requests;
mod retries;

use std::time::Duration;

use actr_lite_wire::{
    credential::SigningKey,
    error_code::ErrorCode,
    identity::ActrId,
    proto::{
        ErrorResponse, Pong, RegisterResponse, SignalingEnvelope, SignalingToActr, TurnCredential,
        register_response::{self, RegisterOk},
        signaling_envelope::Flow,
        signaling_to_actr::Payload,
    },
};
use bytes::Bytes;
use prost::Message as _;

use super::{Action, Event, Link};
use crate::{error::RegistryLinkError, load::LoadReport, registration::Registration};

const LIFETIME: Duration = Duration::from_secs(1000);

/// When the registry's clock began, in Unix seconds.
const START: u64 = 1_800_000_000;

/// A link, and what time it is.
struct Scene {
    link: Link<u32>,
    now: Duration,
    /// The registry takes what is sent.
    can_send: bool,
}

impl Scene {
    fn new() -> Self {
        let url = "ws://registry.test:8081/signaling/ws".parse().unwrap();
        Self {
            link: Link::new(url, 7),
            now: Duration::ZERO,
            can_send: true,
        }
    }

    /// A link that is registered under `serial`, and open, and has sent its first heartbeat.
    fn open(serial: u64) -> Self {
        let mut scene = Self::new();
        assert_eq!(scene.poll(), Action::Register);
        scene.handle(Event::Granted(scene.grant(serial)));
        scene.reopen();
        scene
    }

    /// Opens a connection, and answers the first heartbeat over it.
    fn reopen(&mut self) {
        assert!(matches!(self.poll(), Action::Open(_)));
        self.handle(Event::Opened(Ok(())));
        self.answer_heartbeat(Ok(pong()));
    }

    fn poll(&mut self) -> Action<u32> {
        self.link.poll(self.now, LoadReport::IDLE, self.can_send, 1.0)
    }

    fn handle(&mut self, event: Event) {
        self.link.handle(event, self.now, 1.0);
    }

    /// What AIS grants now.
    fn grant(&self, serial: u64) -> Result<Registration, RegistryLinkError> {
        let id = ActrId::new(33, serial, "acme+Echo".parse().unwrap());
        let key = SigningKey::new(7, &[3; 32]);
        let unix_now = START + self.now.as_secs();
        let granted = RegisterOk {
            actr_id: (&id).into(),
            credential: key.issue(&id, unix_now + LIFETIME.as_secs(), None).into(),
            turn_credential: TurnCredential::default(),
            signaling_heartbeat_interval_secs: 30,
            signing_pubkey: key.verifying_key().to_bytes().to_vec().into(),
            signing_key_id: 7,
            renewal_token: Some(Bytes::from_static(b"token")),
            ..RegisterOk::default()
        };
        let result = Some(register_response::Result::Success(granted));
        Registration::from_response("registration", RegisterResponse { result }, unix_now)
    }

    /// The next heartbeat, which is due now, is answered.
    fn answer_heartbeat(&mut self, outcome: Result<Payload, ErrorResponse>) {
        let Action::Send(heartbeat) = self.poll() else {
            panic!("no heartbeat");
        };
        self.handle(Event::Received(reply(&heartbeat, outcome)));
    }

    /// Until something else than a heartbeat or a ping is to be done; heartbeats are answered.
    fn next_action(&mut self) -> Action<u32> {
        loop {
            match self.poll() {
                Action::Send(heartbeat) => self.handle(Event::Received(reply(&heartbeat, Ok(pong())))),
                Action::Ping => self.handle(Event::SignOfLife),
                Action::Wait(Some(until)) => self.now = until,
                action => return action,
            }
        }
    }

    fn lose_connection(&mut self) {
        self.handle(Event::Lost(unreachable_registry()));
        assert_eq!(self.poll(), Action::Drop);
    }
}

fn reply(request: &SignalingEnvelope, outcome: Result<Payload, ErrorResponse>) -> Bytes {
    let payload = Some(outcome.unwrap_or_else(Payload::Error));
    let envelope = SignalingEnvelope {
        envelope_version: 1,
        reply_for: Some(request.envelope_id.clone()),
        flow: Some(Flow::ServerToActr(SignalingToActr {
            payload,
            ..SignalingToActr::default()
        })),
        ..SignalingEnvelope::default()
    };
    envelope.encode_to_vec().into()
}

/// Something was one too many, and it is not said what.
fn too_many() -> Bytes {
    let envelope = SignalingEnvelope {
        envelope_version: 1,
        flow: Some(Flow::EnvelopeError(refusal(ErrorCode::Other(429)))),
        ..SignalingEnvelope::default()
    };
    envelope.encode_to_vec().into()
}

fn pong() -> Payload {
    Payload::Pong(Pong::default())
}

fn refusal(code: ErrorCode) -> ErrorResponse {
    ErrorResponse {
        code: code.number(),
        message: "as the script says".into(),
    }
}

fn unreachable_registry() -> RegistryLinkError {
    RegistryLinkError::Unreachable {
        url: "ws://registry.test:8081/signaling/ws".parse().unwrap(),
        cause: "as the script says".into(),
    }
}
