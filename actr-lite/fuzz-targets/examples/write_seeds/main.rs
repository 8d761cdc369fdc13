//! Writes the seeds of the binary targets to `fuzz/seeds`, made with the types that they are read into. Those of
//! `actr_toml` are texts, and kept by hand.

mod channels;
mod sessions;

use std::{env, error::Error, fs, path::Path, time::Duration};

use actr_lite_fuzz_targets::renewal_token;
use actr_lite_wire::{
    control::Control,
    credential::{SigningKey, source_id_to_header},
    envelope::{Envelope, ErrorReply},
    error_code::ErrorCode,
    frame::{DataStream, FrameEncoder, FrameHints},
    identity::{ActrId, StreamId},
    peer_text::RawText,
    possession::{Audience, Prover},
    proto::{
        Acl, AclRule, ActrToSignaling, GetServiceSpecRequest, GetSigningKeyRequest, Ping, Realm, RegisterAuthMode,
        RegisterRequest, RenewCredentialRequest, RouteCandidatesRequest, ServiceSpec, SignalingEnvelope,
        UnregisterRequest, acl_rule, actr_to_signaling::Payload, route_candidates_request::NodeSelectionCriteria,
        service_spec, signaling_envelope::Flow,
    },
    record::{self, RecordKind},
    websocket::{CloseCode, CloseFrame, ControlFrame, HEADER_ROOM, encode_control, seal},
};
use bytes::Bytes;
use data_encoding::BASE64;
use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let package = env::var("CARGO_MANIFEST_DIR")?;
    let seeds = Path::new(&package).join("../../fuzz/seeds");
    let id = ActrId::new(1, 1, "acme:Echo:1.0.0".parse()?);
    for (target, files) in [
        ("record", records("ab12cd34".parse()?)),
        ("websocket", websocket()),
        ("envelope", envelopes()),
        ("signaling", signaling(&id)),
        ("session", sessions::sessions("ab12cd34".parse()?)),
        ("registry_session", sessions::registry_sessions(id.actr_type())),
        ("identity", identities(&id)),
        ("data_channel", channels::messages()),
        #[cfg(feature = "webrtc")]
        ("webrtc_peer", channels::peers()?),
    ] {
        let directory = seeds.join(target);
        fs::create_dir_all(&directory)?;
        for (name, bytes) in files {
            fs::write(directory.join(name), bytes)?;
        }
    }
    Ok(())
}

pub(crate) type Files = Vec<(&'static str, Vec<u8>)>;

pub(crate) fn one_record(kind: RecordKind, body: &[u8]) -> Vec<u8> {
    [&record::header(kind, body.len())[..], body].concat()
}

fn records(stream_id: StreamId) -> Files {
    let mut encoder = FrameEncoder::new(&stream_id);
    let plain = [encoder.head(1, 7), b"message"].concat();
    let frame = DataStream::new(stream_id.clone(), 300, "hinted").with_hints(FrameHints {
        metadata: vec![("key".into(), "value".into())],
        timestamp_ms: Some(1_700_000_000_000),
    });
    let hinted = [&encoder.head_with_hints(&frame)[..], b"hinted"].concat();
    let mut batch = one_record(RecordKind::StreamReliable, &plain);
    batch.extend(one_record(RecordKind::StreamLatencyFirst, &hinted));
    let mut files = vec![("frame", plain), ("frame-with-hints", hinted)];
    for (name, control) in [
        (
            "credit",
            Control::Credit {
                stream_id: stream_id.clone(),
                bytes: 262_144,
            },
        ),
        (
            "cancel",
            Control::Cancel {
                stream_id: stream_id.clone(),
                reason: "enough".into(),
            },
        ),
        (
            "end",
            Control::End {
                stream_id: stream_id.clone(),
                frames: 300,
            },
        ),
        (
            "error",
            Control::Error {
                stream_id,
                frames: 3,
                code: ErrorCode::Unavailable,
                message: "moved".into(),
            },
        ),
        (
            "call-cancel",
            Control::CallCancel {
                request_id: "r-1".into(),
            },
        ),
        ("leaving", Control::Leaving),
    ] {
        let (kind, body) = control.encode();
        batch.extend(one_record(kind, &body));
        files.push((name, [&[kind as u8], &body[..]].concat()));
    }
    files.push(("batch", batch));
    files
}

fn websocket() -> Files {
    let frame = |payload: &[u8], mask| {
        let mut buffer = vec![0; HEADER_ROOM];
        buffer.extend_from_slice(payload);
        let start = seal(&mut buffer, mask);
        buffer.split_off(start)
    };
    let mask = Some([1, 2, 3, 4]);
    let close = CloseFrame::new(CloseCode::GOING_AWAY, "bye");
    let close = ControlFrame::Close(Some(&close));
    let fragments = [
        &[0x02, 2, 1, 2][..],
        &encode_control(ControlFrame::Ping(b"p"), None),
        &[0x80, 1, 3],
    ]
    .concat();
    vec![
        (
            "from-server",
            [&[7], &frame(b"hello", None)[..], &encode_control(close, None)].concat(),
        ),
        (
            "from-client",
            [&[0x83], &frame(b"hello", mask)[..], &encode_control(close, mask)].concat(),
        ),
        ("in-two-bytes", [&[0x7f], &frame(&[5; 200], None)[..]].concat()),
        ("too-long", [&[0x7f], &frame(&[5; 257], None)[..]].concat()),
        ("in-fragments", [&[1], &fragments[..]].concat()),
        (
            "pong",
            [&[0x81], &encode_control(ControlFrame::Pong(b"p"), mask)[..]].concat(),
        ),
        ("text", vec![1, 0x81, 2, b'h', b'i']),
    ]
}

fn envelopes() -> Files {
    let (request_id, route_key) = (
        RawText::from("r-1"),
        RawText::from("stream_server.StreamServer.RegisterStream"),
    );
    let metadata = vec![("stream-resume-after".to_owned(), "7".to_owned())];
    let payload = Bytes::from_static(b"payload");
    let answer = |result| Envelope::Response {
        request_id: "r-1".into(),
        route_key: "a.B.C".into(),
        result,
    };
    let refusal = ErrorReply {
        code: ErrorCode::UnknownRoute,
        message: "no such route".into(),
    };
    let request = Envelope::Request {
        request_id: request_id.clone(),
        route_key: route_key.clone(),
        payload: payload.clone(),
        metadata: metadata.clone(),
        trace: None,
        timeout: Some(Duration::from_secs(30)),
    };
    let tell = Envelope::Tell {
        request_id,
        route_key,
        payload: payload.clone(),
        metadata,
        trace: None,
    };
    vec![
        ("request", request.encode()),
        ("response", answer(Ok(payload)).encode()),
        ("refusal", answer(Err(refusal)).encode()),
        ("tell", tell.encode()),
    ]
}

fn signaling(id: &ActrId) -> Files {
    let credential = SigningKey::new(7, &[3; 32]).issue(id, 2_000_000_000, None);
    let envelope = |payload| {
        let message = ActrToSignaling {
            source: id.into(),
            credential: credential.clone().into(),
            payload: Some(payload),
        };
        let envelope = SignalingEnvelope {
            envelope_version: 1,
            envelope_id: "e1".into(),
            timestamp: Some(Default::default()),
            flow: Some(Flow::ActrToServer(message)),
            ..Default::default()
        };
        [b"e", &envelope.encode_to_vec()[..]].concat()
    };
    let registration = RegisterRequest {
        actr_type: id.actr_type().into(),
        realm: Realm { realm_id: 1 },
        service_spec: Some(ServiceSpec {
            name: "echo".into(),
            fingerprint: "f".into(),
            protobufs: vec![service_spec::Protobuf::default()],
            tags: vec!["t".into()],
            ..Default::default()
        }),
        acl: Some(Acl {
            rules: vec![AclRule {
                permission: 1,
                from_type: id.actr_type().into(),
                source_realm: Some(acl_rule::SourceRealm::AnyRealm(true)),
            }],
        }),
        service: None,
        ws_address: Some("ws://127.0.0.1:9000".into()),
        auth_mode: Some(RegisterAuthMode::Linked.into()),
        hidden: None,
        holder_key: None,
    };
    let renewal = RenewCredentialRequest {
        actr_id: id.into(),
        renewal_token: Bytes::copy_from_slice(&renewal_token()),
    };
    let query = format!(
        "qactor_id=1%401%2Facme%3AEcho%3A1%2E0%2E0&key_id=7&claims={}&signature={}",
        BASE64.encode(credential.claims()),
        BASE64.encode(&[9; 6])
    );
    let ping = Ping {
        power_reserve: 1.0,
        sticky_client_ids: vec!["c".into()],
        ..Default::default()
    };
    let candidates = RouteCandidatesRequest {
        target_type: id.actr_type().into(),
        criteria: Some(NodeSelectionCriteria {
            candidate_count: 1,
            ranking_factors: vec![2, 0],
        }),
        client_fingerprint: "f".into(),
        candidate_id: None,
    };
    let unregister = UnregisterRequest {
        actr_id: id.into(),
        reason: Some("done".into()),
    };
    vec![
        ("registration", [b"r", &registration.encode_to_vec()[..]].concat()),
        ("renewal", [b"n", &renewal.encode_to_vec()[..]].concat()),
        ("query", query.into_bytes()),
        ("ping", envelope(Payload::Ping(ping))),
        ("candidates", envelope(Payload::RouteCandidates(candidates))),
        ("unregister", envelope(Payload::Unregister(unregister))),
        (
            "service-spec",
            envelope(Payload::GetServiceSpec(GetServiceSpecRequest {
                name: "echo".into(),
                fingerprint: None,
            })),
        ),
        (
            "signing-key",
            envelope(Payload::GetSigningKey(GetSigningKeyRequest { key_id: 7 })),
        ),
    ]
}

fn identities(id: &ActrId) -> Files {
    let prover = Prover::new(&[5; 32]);
    let audience = Audience::Node(id.clone());
    let key = SigningKey::new(7, &[3; 32]);
    let held = key.issue(id, 2_000_000_000, Some(&prover.holder_key()));
    let credential = key.issue(id, 2_000_000_000, None);
    vec![
        ("held-credential-header", held.to_header().into_bytes()),
        ("audience-text", audience.to_string().into_bytes()),
        (
            "proof-header",
            prover
                .prove(id, audience, b"dGhlIHNhbXBsZSBub25jZQ==")
                .to_header()
                .into_bytes(),
        ),
        ("source-id-header", source_id_to_header(id).into_bytes()),
        ("credential-header", credential.to_header().into_bytes()),
        (
            "credential",
            actr_lite_wire::proto::AIdCredential::from(credential).encode_to_vec(),
        ),
        ("id", actr_lite_wire::proto::ActrId::from(id).encode_to_vec()),
        ("id-text", id.to_string().into_bytes()),
        ("type-text", b"acme+Echo".to_vec()),
        ("stream-id-text", b"ab12cd34".to_vec()),
        ("record-limit-text", b"4194304".to_vec()),
        ("timestamp-text", b"2024-01-15T10:30:00Z".to_vec()),
        ("url-text", b"ws://[::1]:8081/a/signaling/ws".to_vec()),
        (
            "contract-text",
            format!("service_semantic:{}", "8c".repeat(32)).into_bytes(),
        ),
        ("file-text", format!("semantic:{}", "eb".repeat(32)).into_bytes()),
    ]
}
