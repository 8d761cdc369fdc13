//! The seeds of the targets that are fed with one message after the other.

use std::time::Duration;

use actr_lite::fuzzing::{AWAITED, ECHO, STREAM, WAIT};
use actr_lite_wire::{
    control::Control,
    envelope::Envelope,
    frame::FrameEncoder,
    identity::{ActrId, ActrType, StreamId},
    proto::{
        ActrRelay, ActrToSignaling, GetServiceSpecRequest, Ping, Realm, RegisterRequest, RenewCredentialRequest,
        RouteCandidatesRequest, SignalingEnvelope, UnregisterRequest, actr_relay, actr_to_signaling::Payload,
        signaling_envelope::Flow,
    },
    record::{HEADER_LEN, RecordKind, header},
};
use bytes::Bytes;
use prost::Message as _;

use crate::{Files, one_record};

/// What a step of `session` is called; a message is 0.
const DRAIN: u8 = 3;
const SUBSCRIBE: u8 = 4;
const TAKE: u8 = 5;
const CALL: u8 = 6;
const STOP: u8 = 7;

/// A step that has a body: what it is, its length, and the body.
fn with_len(what: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
    [&[what], &len.to_be_bytes()[..], body].concat()
}

pub(crate) fn sessions(stream_id: StreamId) -> Files {
    let message = |body: &[u8]| with_len(0, body);
    let request = |route: &str, payload: &str| {
        let envelope = Envelope::Request {
            request_id: "r-1".into(),
            route_key: route.into(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            metadata: vec![("stream-resume-after".to_owned(), "7".to_owned())],
            trace: None,
            timeout: Some(Duration::from_secs(30)),
        };
        one_record(RecordKind::RpcReliable, &envelope.encode())
    };
    let tell = Envelope::Tell {
        request_id: "t-1".into(),
        route_key: ECHO.into(),
        payload: Bytes::new(),
        metadata: Vec::new(),
        trace: None,
    };
    let answer = Envelope::Response {
        request_id: "r-1".into(),
        route_key: ECHO.into(),
        result: Ok(Bytes::new()),
    };
    let control = |control: &Control| {
        let (kind, body) = control.encode();
        one_record(kind, &body)
    };
    let Ok(awaited) = AWAITED.parse::<StreamId>() else {
        return Files::new();
    };
    let mut encoder = FrameEncoder::new(&awaited);
    let mut frame = |number| one_record(RecordKind::StreamReliable, &[encoder.head(number, 1), b"m"].concat());
    let frames = [frame(1), frame(2)].concat();
    let end = control(&Control::End {
        stream_id: awaited,
        frames: 2,
    });
    let grant = control(&Control::Credit {
        stream_id: stream_id.clone(),
        bytes: 1 << 18,
    });
    let cancel = control(&Control::Cancel {
        stream_id: stream_id.clone(),
        reason: "enough".into(),
    });
    let call_cancel = control(&Control::CallCancel {
        request_id: "r-1".into(),
    });
    let echo = request(ECHO, "payload");
    let parts: Vec<u8> = echo
        .chunks(20)
        .flat_map(|part| message(&[&header(RecordKind::Part, part.len())[..], part].concat()))
        .collect();
    let between = [
        &message(&[&header(RecordKind::Part, HEADER_LEN)[..], &echo[..HEADER_LEN]].concat())[..],
        &message(&control(&Control::Leaving)),
        &message(&one_record(RecordKind::Part, &echo[HEADER_LEN..])),
    ]
    .concat();
    let start = request(STREAM, stream_id.as_str());
    let run = |steps: &[&[u8]]| [&[1], &steps.concat()[..]].concat();
    vec![
        ("call", run(&[&message(&echo), &[DRAIN]])),
        ("call-without-extension", [&[0], &message(&echo)[..]].concat()),
        (
            "cancelled-call",
            run(&[&message(&request(WAIT, "")), &message(&call_cancel)]),
        ),
        (
            "repeated-call",
            run(&[&message(&request(WAIT, "")), &message(&request(WAIT, ""))]),
        ),
        (
            "tell",
            run(&[&message(&one_record(RecordKind::RpcSignal, &tell.encode()))]),
        ),
        ("parts", run(&[&parts])),
        ("a-record-between-parts", run(&[&between])),
        (
            "own-call",
            run(&[
                &[CALL],
                &message(&one_record(RecordKind::RpcReliable, &answer.encode())),
            ]),
        ),
        (
            "stream-in",
            run(&[&[SUBSCRIBE], &message(&frames), &[TAKE, TAKE], &message(&end), &[TAKE]]),
        ),
        (
            "stream-stopped",
            run(&[&[SUBSCRIBE], &message(&frames), &[STOP], &message(&frames)]),
        ),
        (
            "stream-out",
            run(&[
                &message(&start),
                &[DRAIN],
                &message(&grant),
                &[DRAIN, DRAIN],
                &message(&cancel),
            ]),
        ),
        (
            "stream-out-without-extension",
            [&[0], &message(&start)[..], &[DRAIN, DRAIN]].concat(),
        ),
    ]
}

/// The nodes of `registry_session` have their places as serial numbers.
pub(crate) fn registry_sessions(actr_type: &ActrType) -> Files {
    const REGISTER: u8 = 4 << 2;
    const RENEW: u8 = 5 << 2;
    const CONNECT: u8 = 6 << 2;
    const LOSE: u8 = 7 << 2;
    let id = |place| ActrId::new(1, place, actr_type.clone());
    let envelope = |flow| SignalingEnvelope {
        envelope_version: 1,
        envelope_id: "e".into(),
        flow: Some(flow),
        ..Default::default()
    };
    let ask = |who: u8, payload| {
        let message = ActrToSignaling {
            source: (&id(who.into())).into(),
            payload: Some(payload),
            ..Default::default()
        };
        with_len(who, &envelope(Flow::ActrToServer(message)).encode_to_vec())
    };
    let relay = |who: u8, target: u64, payload| {
        let relay = ActrRelay {
            source: (&id(who.into())).into(),
            target: (&id(target)).into(),
            payload: Some(payload),
            ..Default::default()
        };
        with_len(who, &envelope(Flow::ActrRelay(relay)).encode_to_vec())
    };
    let leave = |who: u8| {
        let request = UnregisterRequest {
            actr_id: (&id(who.into())).into(),
            reason: None,
        };
        ask(who, Payload::Unregister(request))
    };
    let candidates = RouteCandidatesRequest {
        target_type: actr_type.into(),
        ..Default::default()
    };
    let ice = || actr_relay::Payload::IceCandidate(Default::default());
    let role = actr_relay::Payload::RoleNegotiation(Bytes::new());
    let registration = RegisterRequest {
        actr_type: actr_type.into(),
        realm: Realm { realm_id: 1 },
        ..Default::default()
    };
    let renewal = RenewCredentialRequest {
        actr_id: (&id(0)).into(),
        renewal_token: vec![0; 32].into(),
    };
    vec![
        ("heartbeat", ask(0, Payload::Ping(Ping::default()))),
        ("candidates", ask(1, Payload::RouteCandidates(candidates))),
        (
            "contract",
            ask(
                2,
                Payload::GetServiceSpec(GetServiceSpecRequest {
                    name: "echo".into(),
                    fingerprint: None,
                }),
            ),
        ),
        ("leaves", [leave(0), vec![CONNECT], leave(0)].concat()),
        ("relays", [relay(0, 1, ice()), relay(1, 0, ice())].concat()),
        ("roles", relay(0, 1, role)),
        ("to-another-realm", relay(0, 3, ice())),
        ("registers", with_len(REGISTER, &registration.encode_to_vec())),
        ("renews", with_len(RENEW, &renewal.encode_to_vec())),
        ("loses", [vec![LOSE], relay(1, 0, ice()), vec![CONNECT]].concat()),
    ]
}
