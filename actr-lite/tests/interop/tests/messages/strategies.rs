//! Strategies that make a message twice: as a type of ours and as the published one, each by the names of its fields.

use std::fmt::Debug;

use actr_lite_wire::proto as ours;
use actr_protocol as theirs;
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use prost_types::Timestamp;

/// The same thing as both types.
pub(super) type Both<O, T> = (O, T);

pub(super) fn same<V: Clone + Debug>(strategy: impl Strategy<Value = V>) -> impl Strategy<Value = Both<V, V>> {
    strategy.prop_map(|value| (value.clone(), value))
}

pub(super) fn text() -> impl Strategy<Value = Both<String, String>> {
    same(".{0,12}")
}

pub(super) fn bytes() -> impl Strategy<Value = Both<Bytes, Bytes>> {
    same(prop::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::from))
}

/// A text that is read without a copy here.
pub(super) fn text_as_bytes() -> impl Strategy<Value = Both<Bytes, String>> {
    ".{0,12}".prop_map(|text| (text.clone().into(), text))
}

pub(super) fn number<N: Arbitrary + Clone>() -> impl Strategy<Value = Both<N, N>> {
    same(any::<N>())
}

pub(super) fn time() -> impl Strategy<Value = Both<Timestamp, Timestamp>> {
    same((any::<i64>(), any::<i32>()).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos }))
}

pub(super) fn maybe<O: Clone + Debug, T: Clone + Debug>(
    strategy: impl Strategy<Value = Both<O, T>>,
) -> impl Strategy<Value = Both<Option<O>, Option<T>>> {
    prop::option::of(strategy).prop_map(Option::unzip)
}

/// There for us, where it may be absent, and required there.
pub(super) fn always<O: Debug, T: Debug>(
    strategy: impl Strategy<Value = Both<O, T>>,
) -> impl Strategy<Value = Both<Option<O>, T>> {
    strategy.prop_map(|(ours, theirs)| (Some(ours), theirs))
}

pub(super) fn some<O: Debug, T: Debug>(
    strategy: impl Strategy<Value = Both<O, T>>,
) -> impl Strategy<Value = Both<Option<O>, Option<T>>> {
    strategy.prop_map(|(ours, theirs)| (Some(ours), Some(theirs)))
}

pub(super) fn list<O: Debug, T: Debug>(
    strategy: impl Strategy<Value = Both<O, T>>,
) -> impl Strategy<Value = Both<Vec<O>, Vec<T>>> {
    prop::collection::vec(strategy, 0..3).prop_map(|both| both.into_iter().unzip())
}

/// A strategy for a message: the type of ours, the published one, and the fields that both have.
macro_rules! message {
    ($name:ident: $ours:ty, $theirs:ty { $($field:ident: $strategy:expr),* $(,)? }) => {
        #[allow(clippy::needless_update, reason = "most have no field that the other one lacks")]
        pub(super) fn $name() -> impl Strategy<Value = Both<$ours, $theirs>> {
            type Ours = $ours;
            type Theirs = $theirs;
            ($($strategy,)*).prop_map(|($($field,)*)| (
                Ours { $($field: $field.0,)* ..Default::default() },
                Theirs { $($field: $field.1,)* ..Default::default() },
            ))
        }
    };
}

/// A strategy for a oneof: for each member the variant of ours, the published one, and what is in it.
macro_rules! one_of {
    ($name:ident: $ours:ty, $theirs:ty { $($our_variant:ident, $their_variant:ident: $strategy:expr),* $(,)? }) => {
        pub(super) fn $name() -> impl Strategy<Value = Both<$ours, $theirs>> {
            type Ours = $ours;
            type Theirs = $theirs;
            prop_oneof![$(
                $strategy.prop_map(|(ours, theirs)| (Ours::$our_variant(ours), Theirs::$their_variant(theirs)))
            ),*]
        }
    };
}

message!(realm: ours::Realm, theirs::Realm { realm_id: number() });
message!(actr_type: ours::ActrType, theirs::ActrType { manufacturer: text(), name: text(), version: text() });
message!(actr_id: ours::ActrId, theirs::ActrId { realm: realm(), serial_number: number(), r#type: actr_type() });
message!(claims: ours::IdentityClaims, theirs::IdentityClaims {
    realm_id: number(), actor_id: text(), expires_at: number(),
});
message!(credential: ours::AIdCredential, theirs::AIdCredential {
    key_id: number(), claims: bytes(), signature: bytes(),
});
message!(error: ours::ErrorResponse, theirs::ErrorResponse { code: number(), message: text() });

one_of!(source_realm: ours::acl_rule::SourceRealm, theirs::acl_rule::SourceRealm {
    AnyRealm, AnyRealm: number(),
    RealmId, RealmId: number(),
});
message!(acl_rule: ours::AclRule, theirs::AclRule {
    permission: same(0..2i32), from_type: actr_type(), source_realm: maybe(source_realm()),
});
message!(acl: ours::Acl, theirs::Acl { rules: list(acl_rule()) });
message!(protobuf: ours::service_spec::Protobuf, theirs::service_spec::Protobuf {
    package: text(), content: text(), fingerprint: text(),
});
message!(service_spec: ours::ServiceSpec, theirs::ServiceSpec {
    name: text(), description: maybe(text()), fingerprint: text(), protobufs: list(protobuf()),
    published_at: maybe(number()), tags: list(text()),
});

message!(register_request: ours::RegisterRequest, theirs::RegisterRequest {
    actr_type: actr_type(), realm: realm(), service_spec: maybe(service_spec()), acl: maybe(acl()),
    service: maybe(text()), ws_address: maybe(text()), auth_mode: maybe(same(0..3i32)),
});
message!(turn_credential: ours::TurnCredential, theirs::TurnCredential {
    username: text(), password: text(), expires_at: number(),
});
message!(register_ok: ours::register_response::RegisterOk, theirs::register_response::RegisterOk {
    actr_id: actr_id(), credential: credential(), turn_credential: turn_credential(),
    credential_expires_at: maybe(time()), signaling_heartbeat_interval_secs: number(), signing_pubkey: bytes(),
    signing_key_id: number(), renewal_token: maybe(bytes()), renewal_token_expires_at: maybe(time()),
});
one_of!(registered: ours::register_response::Result, theirs::register_response::Result {
    Success, Success: register_ok(),
    Error, Error: error(),
});
message!(register_response: ours::RegisterResponse, theirs::RegisterResponse { result: maybe(registered()) });
message!(renew_request: ours::RenewCredentialRequest, theirs::RenewCredentialRequest {
    actr_id: actr_id(), renewal_token: bytes(),
});
// A renewal is answered in the same shape, so there is one type for both here.
one_of!(renewed: ours::register_response::Result, theirs::renew_credential_response::Result {
    Success, Success: register_ok(),
    Error, Error: error(),
});
message!(renew_response: ours::RegisterResponse, theirs::RenewCredentialResponse { result: maybe(renewed()) });

message!(unregister_request: ours::UnregisterRequest, theirs::UnregisterRequest {
    actr_id: actr_id(), reason: maybe(text()),
});
pub(super) fn unregister_ok()
-> impl Strategy<Value = Both<ours::unregister_response::UnregisterOk, theirs::unregister_response::UnregisterOk>> {
    Just(Default::default())
}
one_of!(unregistered: ours::unregister_response::Result, theirs::unregister_response::Result {
    Success, Success: unregister_ok(),
    Error, Error: error(),
});
message!(unregister_response: ours::UnregisterResponse, theirs::UnregisterResponse { result: maybe(unregistered()) });
message!(ping: ours::Ping, theirs::Ping {
    availability: same(0..4i32), power_reserve: same(0.0..5.0f32), mailbox_backlog: same(0.0..1.0f32),
    sticky_client_ids: list(text()),
});
message!(pong: ours::Pong, theirs::Pong { seq: number(), suggest_interval_secs: maybe(number()) });
message!(
    criteria: ours::route_candidates_request::NodeSelectionCriteria,
    theirs::route_candidates_request::NodeSelectionCriteria {
        candidate_count: number(), ranking_factors: list(same(0..5i32)),
    }
);
message!(candidates_request: ours::RouteCandidatesRequest, theirs::RouteCandidatesRequest {
    target_type: actr_type(), criteria: maybe(criteria()), client_fingerprint: text(),
});
message!(ws_address: ours::WsAddressEntry, theirs::WsAddressEntry {
    candidate_id: actr_id(), ws_address: maybe(text()),
});
message!(
    candidates_ok: ours::route_candidates_response::RouteCandidatesOk,
    theirs::route_candidates_response::RouteCandidatesOk {
        candidates: list(actr_id()), ws_address_map: list(ws_address()),
    }
);
one_of!(candidates: ours::route_candidates_response::Result, theirs::route_candidates_response::Result {
    Success, Success: candidates_ok(),
    Error, Error: error(),
});
message!(candidates_response: ours::RouteCandidatesResponse, theirs::RouteCandidatesResponse {
    result: maybe(candidates()),
});
message!(spec_request: ours::GetServiceSpecRequest, theirs::GetServiceSpecRequest { name: text() });
one_of!(spec: ours::get_service_spec_response::Result, theirs::get_service_spec_response::Result {
    Success, Success: service_spec(),
    Error, Error: error(),
});
message!(spec_response: ours::GetServiceSpecResponse, theirs::GetServiceSpecResponse { result: maybe(spec()) });
message!(key_request: ours::GetSigningKeyRequest, theirs::GetSigningKeyRequest { key_id: number() });
message!(key_response: ours::GetSigningKeyResponse, theirs::GetSigningKeyResponse {
    key_id: number(), pubkey: bytes(),
});

one_of!(request: ours::actr_to_signaling::Payload, theirs::actr_to_signaling::Payload {
    Unregister, UnregisterRequest: unregister_request(),
    Ping, Ping: ping(),
    RouteCandidates, RouteCandidatesRequest: candidates_request(),
    GetServiceSpec, GetServiceSpecRequest: spec_request(),
    GetSigningKey, GetSigningKeyRequest: key_request(),
    Error, Error: error(),
});
message!(to_server: ours::ActrToSignaling, theirs::ActrToSignaling {
    source: actr_id(), credential: credential(), payload: maybe(request()),
});
one_of!(answer: ours::signaling_to_actr::Payload, theirs::signaling_to_actr::Payload {
    Unregister, UnregisterResponse: unregister_response(),
    Pong, Pong: pong(),
    RouteCandidates, RouteCandidatesResponse: candidates_response(),
    GetServiceSpec, GetServiceSpecResponse: spec_response(),
    GetSigningKey, GetSigningKeyResponse: key_response(),
    Error, Error: error(),
});
message!(to_actr: ours::SignalingToActr, theirs::SignalingToActr { target: actr_id(), payload: maybe(answer()) });

/// What is opaque here is a message there.
pub(super) fn opaque<M: Message + Debug>(strategy: impl Strategy<Value = M>) -> impl Strategy<Value = Both<Bytes, M>> {
    strategy.prop_map(|message| (message.encode_to_vec().into(), message))
}

pub(super) fn ice_candidate() -> impl Strategy<Value = theirs::IceCandidate> {
    (".{0,9}", prop::option::of(".{0,3}"), any::<Option<u32>>()).prop_map(|(candidate, text, index)| {
        theirs::IceCandidate {
            candidate,
            sdp_mid: text.clone(),
            sdp_mline_index: index,
            username_fragment: text,
        }
    })
}

pub(super) fn session_description() -> impl Strategy<Value = theirs::SessionDescription> {
    (0..4i32, ".{0,9}", prop::option::of(".{0,3}")).prop_map(|(r#type, sdp, sdp_exchange_id)| {
        theirs::SessionDescription {
            r#type,
            sdp,
            sdp_exchange_id,
        }
    })
}

pub(super) fn role_negotiation() -> impl Strategy<Value = theirs::RoleNegotiation> {
    (actr_id(), actr_id(), any::<u32>()).prop_map(|(from, to, realm_id)| theirs::RoleNegotiation {
        from: from.1,
        to: to.1,
        realm_id,
    })
}

pub(super) fn ice_restart_request() -> impl Strategy<Value = theirs::IceRestartRequest> {
    prop::option::of(".{0,9}").prop_map(|reason| theirs::IceRestartRequest { reason })
}

message!(role_assignment: ours::RoleAssignment, theirs::RoleAssignment {
    is_offerer: number(), remote_fixed: maybe(number()),
});
one_of!(relayed: ours::actr_relay::Payload, theirs::actr_relay::Payload {
    IceCandidate, IceCandidate: opaque(ice_candidate()),
    SessionDescription, SessionDescription: opaque(session_description()),
    RoleNegotiation, RoleNegotiation: opaque(role_negotiation()),
    RoleAssignment, RoleAssignment: opaque(role_assignment().prop_map(|both| both.1)),
    IceRestartRequest, IceRestartRequest: opaque(ice_restart_request()),
});
message!(relay: ours::ActrRelay, theirs::ActrRelay {
    source: actr_id(), credential: credential(), target: actr_id(), payload: maybe(relayed()),
});
one_of!(flow: ours::signaling_envelope::Flow, theirs::signaling_envelope::Flow {
    ActrToServer, ActrToServer: to_server(),
    ServerToActr, ServerToActr: to_actr(),
    ActrRelay, ActrRelay: relay(),
    EnvelopeError, EnvelopeError: error(),
});
message!(signaling_envelope: ours::SignalingEnvelope, theirs::SignalingEnvelope {
    envelope_version: number(), envelope_id: text(), reply_for: maybe(text()), timestamp: always(time()),
    traceparent: maybe(text()), tracestate: maybe(text()), flow: maybe(flow()),
});

message!(metadata: ours::MetadataEntry, theirs::MetadataEntry { key: text(), value: text() });
message!(rpc_envelope: ours::RpcEnvelope, theirs::RpcEnvelope {
    route_key: text(), payload: maybe(bytes()), error: maybe(error()), direction: maybe(same(0..4i32)),
    traceparent: maybe(text_as_bytes()), tracestate: maybe(text_as_bytes()), request_id: text(), metadata: list(metadata()),
    timeout_ms: always(number()),
});
message!(data_stream: ours::DataStream, theirs::DataChunk {
    stream_id: text(), sequence: number(), payload: bytes(), metadata: list(metadata()), timestamp_ms: maybe(number()),
});
