use std::net::Ipv4Addr;

use actr_lite_net::source::Source;
use actr_lite_wire::proto::{
    self, ActrRelay, GetServiceSpecRequest, Ping, ServiceSpec, UnregisterRequest, actr_relay::Payload,
    get_service_spec_response,
};

use super::*;
use crate::directory::{Contract, Directory, Limits, Registration};

const NOW: Duration = Duration::ZERO;
const IN_FLIGHT: usize = 1 << 20;

fn registry() -> State<&'static str> {
    let lease = Duration::from_secs(15);
    State::new(Directory::new(1, lease, Limits::default()), IN_FLIGHT)
}

fn holder() -> Holder {
    Holder {
        source: Source::of(Ipv4Addr::LOCALHOST.into()),
        realm_id: Some(1),
    }
}

fn register(state: &mut State<&'static str>, contract: Option<Contract>) -> ActrId {
    let registration = Registration {
        actr_type: "acme:Node:1.0.0".parse().unwrap(),
        realm_id: 1,
        contract,
        acl: None,
        ws_address: None,
        is_hidden: false,
        secret: None,
        holder_key: None,
    };
    let registered = state.directory.register(registration, holder().source, [0; 32], NOW, 0);
    registered.unwrap().0
}

/// A conversation with `id`, whose connection is called `handle`.
fn open(state: &mut State<&'static str>, id: &ActrId, handle: &'static str) -> Conversation {
    let setting = Setting {
        holder: holder(),
        is_this_machine: true,
        life: 7,
        heartbeat_interval_secs: 5,
    };
    // The tests know whom they replace.
    let (conversation, _) = Conversation::open(state, id, handle, setting, NOW).unwrap();
    conversation
}

fn request(source: &ActrId, payload: Request) -> SignalingEnvelope {
    SignalingEnvelope {
        envelope_version: 1,
        envelope_id: "the question".into(),
        flow: Some(Flow::ActrToServer(ActrToSignaling {
            source: source.into(),
            credential: proto::AIdCredential::default(),
            payload: Some(payload),
        })),
        ..Default::default()
    }
}

fn ping(source: &ActrId) -> SignalingEnvelope {
    request(source, Request::Ping(Ping::default()))
}

fn unregister(id: &ActrId) -> Request {
    Request::Unregister(UnregisterRequest {
        actr_id: id.into(),
        reason: None,
    })
}

fn candidate(source: &ActrId, target: &ActrId) -> SignalingEnvelope {
    SignalingEnvelope {
        envelope_version: 1,
        traceparent: Some("00-trace".into()),
        tracestate: Some("a=b".into()),
        flow: Some(Flow::ActrRelay(ActrRelay {
            source: source.into(),
            credential: proto::AIdCredential::default(),
            target: target.into(),
            payload: Some(Payload::IceCandidate("candidate".into())),
        })),
        ..Default::default()
    }
}

/// What comes of an envelope, and who is told.
fn say(
    conversation: &mut Conversation,
    state: &mut State<&'static str>,
    envelope: SignalingEnvelope,
) -> (Reply, Told<&'static str>) {
    let envelope = conversation.take(envelope.encode_to_vec().into()).unwrap();
    let mut told = Told::default();
    while !conversation.step(state, NOW, &mut told) {}
    (conversation.reply(envelope, Timestamp::default()), told)
}

fn answer_of(reply: Reply) -> Answer {
    match reply.envelope.unwrap().flow.unwrap() {
        Flow::ServerToActr(message) => message.payload.unwrap(),
        other => panic!("{other:?}"),
    }
}

fn refusal_of(reply: Reply) -> u32 {
    match reply.envelope.unwrap().flow.unwrap() {
        Flow::EnvelopeError(error) => error.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_reply_names_its_envelope_and_has_an_id_of_its_own() {
    let mut state = registry();
    let id = register(&mut state, None);
    let mut conversation = open(&mut state, &id, "it");
    let mut ids = Vec::new();
    for seq in 0..2 {
        let (reply, _) = say(&mut conversation, &mut state, ping(&id));
        assert!(reply.ending.is_none());
        let envelope = reply.envelope.as_ref().unwrap();
        assert_eq!(envelope.reply_for.as_deref(), Some("the question"));
        ids.push(envelope.envelope_id.clone());
        let Answer::Pong(pong) = answer_of(reply) else {
            panic!("no pong")
        };
        assert_eq!((pong.seq, pong.suggest_interval_secs), (seq, Some(5)));
    }
    assert_eq!(ids, ["7-1-1", "7-1-2"]);
}

#[test]
fn one_that_speaks_for_another_is_told_and_loses_its_connection() {
    let mut state = registry();
    let [id, other] = [(); 2].map(|()| register(&mut state, None));
    let mut conversation = open(&mut state, &id, "it");
    let leaves = request(&other, unregister(&other));
    for forged in [ping(&other), leaves, candidate(&other, &id)] {
        let (reply, told) = say(&mut conversation, &mut state, forged);
        assert!(told.woken.is_empty(), "nobody gets it");
        assert!(state.directory.knows(&other), "it has no effect");
        let refusal = match reply.envelope.clone().unwrap().flow.unwrap() {
            Flow::EnvelopeError(error) => error,
            Flow::ServerToActr(SignalingToActr {
                payload: Some(Answer::Error(error)),
                ..
            }) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal.code, ErrorCode::PermissionDenied.number());
        assert!(refusal.message.contains(&id.to_string()), "{}", refusal.message);
        let ending = reply.ending.unwrap();
        assert!(
            matches!(
                ending,
                Ending::Misbehaved {
                    kind: MisbehaviourKind::ForgedSource,
                    ..
                }
            ),
            "{ending:?}"
        );
        assert_eq!(ending.close_frame().unwrap().code(), CloseCode::POLICY_VIOLATION);
        assert!(reply.envelope.is_some());
    }
}

#[test]
fn what_is_no_envelope_ends_the_connection() {
    let mut state = registry();
    let id = register(&mut state, None);
    let mut conversation = open(&mut state, &id, "it");
    let ending = conversation.take(Bytes::from_static(b"\xff")).unwrap_err();
    assert_eq!(ending.close_frame().unwrap().code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn an_error_is_not_answered() {
    let mut state = registry();
    let id = register(&mut state, None);
    let mut conversation = open(&mut state, &id, "it");
    let error = || answer::error(ErrorCode::Internal, "oh".into());
    let envelope = SignalingEnvelope {
        envelope_version: 1,
        flow: Some(Flow::EnvelopeError(error())),
        ..Default::default()
    };
    for unanswered in [envelope, request(&id, Request::Error(error()))] {
        let (reply, _) = say(&mut conversation, &mut state, unanswered);
        assert!(reply.envelope.is_none() && reply.ending.is_none());
    }
}

#[test]
fn envelopes_of_other_versions_and_kinds_are_refused() {
    let mut state = registry();
    let id = register(&mut state, None);
    let mut conversation = open(&mut state, &id, "it");
    for (version, code) in [
        (0, ErrorCode::InvalidArgument),
        (3, ErrorCode::InvalidArgument),
        (1, ErrorCode::NotImplemented),
        (2, ErrorCode::NotImplemented),
    ] {
        let envelope = SignalingEnvelope {
            envelope_version: version,
            ..Default::default()
        };
        let (reply, _) = say(&mut conversation, &mut state, envelope);
        assert!(reply.ending.is_none());
        assert_eq!(refusal_of(reply), code.number(), "version {version}");
    }
}

#[test]
fn a_relay_wakes_its_target_which_gets_it_once() {
    let mut state = registry();
    let [from, to] = [(); 2].map(|()| register(&mut state, None));
    let (mut source, mut target) = (open(&mut state, &from, "source"), open(&mut state, &to, "target"));
    for _ in 0..2 {
        let (reply, told) = say(&mut source, &mut state, candidate(&from, &to));
        assert!(reply.envelope.is_none());
        assert_eq!(told.woken, ["target"]);
    }
    for has_more in [true, false] {
        let (envelope, more) = target.next_relay(&mut state, Timestamp::default()).unwrap();
        assert_eq!(more, has_more);
        assert_eq!(envelope.traceparent.as_deref(), Some("00-trace"));
        assert_eq!(envelope.tracestate.as_deref(), Some("a=b"));
        let Some(Flow::ActrRelay(relay)) = envelope.flow else {
            panic!("no relay")
        };
        assert_eq!(ActrId::try_from(&relay.source), Ok(from.clone()));
    }
    assert!(target.next_relay(&mut state, Timestamp::default()).is_none());
    assert!(source.next_relay(&mut state, Timestamp::default()).is_none());
}

#[test]
fn a_relay_to_one_without_a_connection_is_refused() {
    let mut state = registry();
    let [from, to] = [(); 2].map(|()| register(&mut state, None));
    let (mut source, target) = (open(&mut state, &from, "source"), open(&mut state, &to, "target"));
    target.close(&mut state);
    let (reply, told) = say(&mut source, &mut state, candidate(&from, &to));
    assert!(told.woken.is_empty());
    assert_eq!(refusal_of(reply), ErrorCode::Unavailable.number());
}

#[test]
fn the_newest_connection_of_a_node_gets_what_is_for_it() {
    let mut state = registry();
    let [from, to] = [(); 2].map(|()| register(&mut state, None));
    let mut source = open(&mut state, &from, "source");
    let (mut old, mut new) = (open(&mut state, &to, "old"), open(&mut state, &to, "new"));
    let (_, told) = say(&mut source, &mut state, candidate(&from, &to));
    assert_eq!(told.woken, ["new"]);
    assert!(old.next_relay(&mut state, Timestamp::default()).is_none());
    old.close(&mut state);
    assert!(new.next_relay(&mut state, Timestamp::default()).is_some());
}

#[test]
fn a_node_that_leaves_loses_this_connection_and_a_newer_one() {
    let mut state = registry();
    let id = register(&mut state, None);
    let (mut old, _new) = (open(&mut state, &id, "old"), open(&mut state, &id, "new"));
    let (reply, told) = say(&mut old, &mut state, request(&id, unregister(&id)));
    assert!(matches!(reply.ending, Some(Ending::Unregistered)));
    let notice = told.dismissed.unwrap();
    assert_eq!((notice.to, notice.why), ("new", Dismissal::Unregistered));
    assert!(!state.directory.knows(&id));
}

#[test]
fn a_connection_of_a_node_that_is_gone_is_not_opened() {
    let mut state = registry();
    let id = register(&mut state, None);
    let setting = open(&mut state, &id, "it").setting;
    assert_eq!(state.directory.expire(Duration::from_secs(15)).len(), 1);
    assert!(Conversation::open(&mut state, &id, "it", setting, NOW).is_none());
}

#[test]
fn questions_beyond_the_rate_are_refused_and_heartbeats_are_not() {
    let mut state = registry();
    let id = register(&mut state, None);
    let mut conversation = open(&mut state, &id, "it");
    let question = || {
        let request_for = GetServiceSpecRequest {
            name: "unknown".into(),
            ..Default::default()
        };
        request(&id, Request::GetServiceSpec(request_for))
    };
    let mut codes = Vec::new();
    for _ in 0..1025 {
        let (reply, _) = say(&mut conversation, &mut state, question());
        let Answer::GetServiceSpec(answer) = answer_of(reply) else {
            panic!("another answer")
        };
        let Some(get_service_spec_response::Result::Error(error)) = answer.result else {
            panic!("it is known")
        };
        codes.push(error.code);
    }
    let unavailable = ErrorCode::Unavailable.number();
    assert_eq!(codes.iter().filter(|code| **code == unavailable).count(), 1);
    assert_eq!(codes.last(), Some(&unavailable));
    let (reply, _) = say(&mut conversation, &mut state, ping(&id));
    assert!(matches!(answer_of(reply), Answer::Pong(_)));
}

/// A contract whose encoding has this length.
fn contract(name: &str, len: usize) -> Contract {
    let mut spec = ServiceSpec {
        name: name.into(),
        description: Some("x".repeat(len)),
        ..Default::default()
    };
    let excess = spec.encoded_len() - len;
    spec.description = Some("x".repeat(len - excess));
    assert_eq!(spec.encoded_len(), len);
    Contract::from(&spec)
}

#[test]
fn a_long_answer_is_on_the_nodes_account_until_it_is_written() {
    // A fifth is for one address, of which the long answer takes more than half.
    let room = |state: &State<_>| state.in_flight.take(holder(), IN_FLIGHT / 8).is_ok();
    for (len, is_long) in [(MAX_ENVELOPE_BYTES, false), (MAX_ENVELOPE_BYTES + 1, true)] {
        let mut state = registry();
        let id = register(&mut state, Some(contract("one", len)));
        let mut conversation = open(&mut state, &id, "it");
        assert!(room(&state));
        let question = Request::GetServiceSpec(GetServiceSpecRequest {
            name: "one".into(),
            ..Default::default()
        });
        let (reply, _) = say(&mut conversation, &mut state, request(&id, question));
        assert!(matches!(
            answer_of(reply),
            Answer::GetServiceSpec(proto::GetServiceSpecResponse {
                result: Some(get_service_spec_response::Result::Success(_))
            })
        ));
        assert_eq!(room(&state), !is_long, "it is being written");
        conversation.written();
        assert!(room(&state));
    }
}
