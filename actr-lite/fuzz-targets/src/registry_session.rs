use actr_lite_registry::{
    directory::Registration,
    fuzzing::{FuzzedConnection, FuzzedRegistry},
};
use actr_lite_wire::{
    identity::ActrId,
    proto::{
        self, AIdCredential, Realm, RegisterRequest, RegisterResponse, RenewCredentialRequest, SignalingEnvelope,
        actr_to_signaling::Payload as Request, register_response, signaling_envelope::Flow,
        signaling_to_actr::Payload as Answer, unregister_response,
    },
};
use prost::Message as _;

use crate::explained;

/// In which realms the nodes are: the last one is alone in its own.
const REALMS: [u32; 4] = [1, 1, 1, 2];

thread_local! {
    /// Making one takes longer than all the rest of a run.
    static REGISTRY: FuzzedRegistry = match FuzzedRegistry::new() {
        Ok(registry) => registry,
        Err(error) => panic!("{error}"),
    };
}

/// The bytes as what happens at a registry that four nodes are connected to. A byte says whose turn it is and what
/// happens: an envelope of that node, the body of a registration or of a renewal, behind two bytes with its length; or the
/// loss of the node's connection, or another one. In the ids of envelopes the serial numbers 0 to 3 are those nodes.
///
/// An answer is for the node that asked. What a node gets from another is from the node that it names, without its
/// credential, and never from another realm. Nobody makes another node leave.
pub fn registry_session(bytes: &[u8]) {
    REGISTRY.with(|registry| {
        registry.begin();
        assert!(registry.is_empty(), "nodes of an earlier life");
        let ids = REALMS.map(|realm_id| registered(registry, realm_id));
        let mut run = Run {
            registry,
            connections: ids.each_ref().map(|id| registry.connect(id)),
            has_left: [false; REALMS.len()],
            ids,
        };
        let mut rest = bytes;
        while let Some((what, behind)) = rest.split_first() {
            rest = run.step(*what, behind);
            run.check();
        }
    });
}

struct Run<'a> {
    registry: &'a FuzzedRegistry,
    ids: [ActrId; REALMS.len()],
    connections: [Option<FuzzedConnection<'a>>; REALMS.len()],
    has_left: [bool; REALMS.len()],
}

impl Run<'_> {
    /// What is left for the next step.
    fn step<'b>(&mut self, what: u8, rest: &'b [u8]) -> &'b [u8] {
        let (who, what) = (usize::from(what) % REALMS.len(), what >> 2 & 7);
        match what {
            6 => {
                self.connections[who] = self.registry.connect(&self.ids[who]);
                assert_eq!(self.connections[who].is_none(), self.has_left[who]);
                return rest;
            }
            7 => {
                self.connections[who] = None;
                return rest;
            }
            _ => {}
        }
        let Some((len, rest)) = rest.split_first_chunk() else {
            return &[];
        };
        let (body, rest) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
        match what {
            4 => {
                if let Ok(request) = RegisterRequest::decode(body) {
                    granted_or_explained(self.registry.register(request), body);
                }
            }
            5 => {
                if let Ok(mut request) = RenewCredentialRequest::decode(body) {
                    self.resolve(&mut request.actr_id);
                    let granted = granted_or_explained(self.registry.renew(&request), body);
                    assert!(granted.is_none(), "a renewal without its token");
                }
            }
            _ => {
                if let Ok(envelope) = SignalingEnvelope::decode(body) {
                    self.envelope(who, envelope, body);
                }
            }
        }
        rest
    }

    fn envelope(&mut self, who: usize, mut envelope: SignalingEnvelope, body: &[u8]) {
        match &mut envelope.flow {
            Some(Flow::ActrToServer(message)) => {
                self.resolve(&mut message.source);
                match &mut message.payload {
                    Some(Request::Unregister(request)) => self.resolve(&mut request.actr_id),
                    Some(Request::RouteCandidates(request)) => {
                        if let Some(id) = &mut request.candidate_id {
                            self.resolve(id);
                        }
                    }
                    _ => {}
                }
            }
            Some(Flow::ActrRelay(relay)) => {
                self.resolve(&mut relay.source);
                self.resolve(&mut relay.target);
            }
            _ => {}
        }
        let Some(connection) = &mut self.connections[who] else {
            return;
        };
        match connection.answer(envelope) {
            Some(Flow::ServerToActr(answer)) => {
                assert_eq!(ActrId::try_from(&answer.target).as_ref(), Ok(&self.ids[who]));
                match answer.payload {
                    Some(Answer::Unregister(response)) => {
                        if let Some(unregister_response::Result::Success(_)) = response.result {
                            self.has_left[who] = true;
                        }
                    }
                    Some(Answer::Error(error)) => explained(&error.message, body),
                    Some(_) => {}
                    None => panic!("an answer without anything in it"),
                }
            }
            Some(Flow::EnvelopeError(error)) => explained(&error.message, body),
            Some(other) => panic!("{other:?} is no answer"),
            None => {}
        }
        self.check_relays(who);
    }

    /// Only one node has sent something.
    fn check_relays(&mut self, sender: usize) {
        let ids = &self.ids;
        for (who, connection) in self.connections.iter_mut().enumerate() {
            let Some(connection) = connection else { continue };
            while let Some(relayed) = connection.relayed() {
                let Flow::ActrRelay(relay) = relayed else {
                    panic!("{relayed:?} is relayed");
                };
                assert_eq!(
                    relay.credential,
                    AIdCredential::default(),
                    "a credential is shown around"
                );
                let source = ActrId::try_from(&relay.source);
                // The registry answers in the other's name who of both offers.
                if who != sender {
                    assert_eq!(source.as_ref(), Ok(&ids[sender]), "a message in another's name");
                    assert_eq!(REALMS[who], REALMS[sender], "a message from another realm");
                }
                assert_eq!(ActrId::try_from(&relay.target).as_ref(), Ok(&ids[who]));
            }
        }
    }

    fn check(&mut self) {
        for (id, has_left) in self.ids.iter().zip(self.has_left) {
            assert_eq!(self.registry.knows(id), !has_left, "a node is gone that has not left");
        }
        for (connection, has_left) in self.connections.iter_mut().zip(self.has_left) {
            if let Some(connection) = connection
                && connection.is_dismissed()
            {
                assert!(has_left, "a connection is ended");
            }
        }
    }

    /// The serial number of a node here is its place.
    fn resolve(&self, id: &mut proto::ActrId) {
        let place = usize::try_from(id.serial_number).ok();
        if let Some(known) = place.and_then(|place| self.ids.get(place)) {
            *id = known.into();
        }
    }
}

fn registered(registry: &FuzzedRegistry, realm_id: u32) -> ActrId {
    let request = RegisterRequest {
        actr_type: proto::ActrType {
            manufacturer: "acme".into(),
            name: "Echo".into(),
            version: "1.0.0".into(),
        },
        realm: Realm { realm_id },
        ws_address: Some("ws://127.0.0.1:9".into()),
        ..RegisterRequest::default()
    };
    let registration = match Registration::try_from(request) {
        Ok(registration) => registration,
        Err(error) => panic!("{error}"),
    };
    match registry.admit(registration) {
        Ok(id) => id,
        Err(error) => panic!("{error}"),
    }
}

fn granted_or_explained(response: RegisterResponse, body: &[u8]) -> Option<ActrId> {
    match response.result {
        Some(register_response::Result::Success(granted)) => ActrId::try_from(&granted.actr_id).ok(),
        Some(register_response::Result::Error(error)) => {
            explained(&error.message, body);
            None
        }
        None => panic!("neither granted nor refused"),
    }
}
