//! Who may find a node, call it, and feed its streams: each way of saying so, at each door.

use std::net::SocketAddr;

use actr_lite::{ActrError, ActrRef, Context, Dest, DiscoverError, ErrorCode, Rpc as _, StreamEnd};
use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    record::RecordKind,
};
use futures_util::FutureExt as _;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::{
    harness::{
        address::free_address,
        deadline::within,
        messages::{Answer, Ask, Push},
        node_plan::NodePlan,
        pair::Pair,
        server::start_server,
        stream::{assert_cancelled, caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{connection, connection::RawPeer, outsider::Outsider, wire_bytes},
};

/// A way in which a node says who may do what, and what that comes to for a node of the type `acme+Caller`.
struct Case {
    name: &'static str,
    /// As in Actr.toml; nothing where there is no section.
    rules: Option<&'static str>,
    /// The realm of the other node; the one that has the list is in realm 1.
    realm: u32,
    discovery: Expected,
    call: Expected,
    /// Frames that the node with the list has asked the other one for.
    frames: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Granted,
    /// Refused, with this among the words.
    Refused(&'static str),
}

use Expected::{Granted, Refused};

const NO_RULE: &str = "has no rule for";
const OTHER_REALM: &str = "has no [acl] rule that admits other realms";

const CASES: [Case; 12] = [
    Case {
        name: "absent",
        rules: None,
        realm: 1,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "allow",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"] }"#),
        realm: 1,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "present, and nobody is allowed",
        rules: Some(""),
        realm: 1,
        discovery: Refused(NO_RULE),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "another type is allowed",
        rules: Some(r#"{ permission = "allow", types = ["acme+Somebody"] }"#),
        realm: 1,
        discovery: Refused(NO_RULE),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "another version is allowed",
        rules: Some(r#"{ permission = "allow", types = ["acme:Caller:2.0.0"] }"#),
        realm: 1,
        discovery: Refused(NO_RULE),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "deny",
        rules: Some(r#"{ permission = "deny", types = ["acme+Caller"] }"#),
        realm: 1,
        discovery: Refused("denies"),
        call: Refused("denies"),
        frames: Refused("denies"),
    },
    Case {
        name: "deny beats allow",
        rules: Some(
            r#"{ permission = "deny", types = ["acme+Caller"] }, { permission = "allow", types = ["acme+Caller"], realm = "*" }"#,
        ),
        realm: 1,
        discovery: Refused("denies"),
        call: Refused("denies"),
        frames: Refused("denies"),
    },
    Case {
        name: "wildcard realm, from the own one",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"], realm = "*" }"#),
        realm: 1,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "wildcard realm, from another one",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"], realm = "*" }"#),
        realm: 2,
        discovery: Granted,
        call: Granted,
        frames: Granted,
    },
    Case {
        name: "other realm, absent",
        rules: None,
        realm: 2,
        discovery: Refused("is registered in other realms only"),
        call: Refused(OTHER_REALM),
        frames: Granted,
    },
    Case {
        name: "other realm, allowed in the own one only",
        rules: Some(r#"{ permission = "allow", types = ["acme+Caller"], realm = "self" }"#),
        realm: 2,
        discovery: Refused("is registered in other realms only"),
        call: Refused(NO_RULE),
        frames: Granted,
    },
    Case {
        name: "other realm, allowed by its number, and denied by another rule",
        rules: Some(
            r#"{ permission = "allow", types = ["acme+Caller"], realm = 2 }, { permission = "deny", types = ["acme+Caller"], realm = 2 }"#,
        ),
        realm: 2,
        discovery: Refused("is registered in other realms only"),
        call: Refused("denies"),
        frames: Refused("denies"),
    },
];

impl Case {
    fn guarded(&self, plan: NodePlan) -> NodePlan {
        match self.rules {
            Some(rules) => plan.set(&format!("acl.rules=[{rules}]")),
            None => plan,
        }
    }

    #[track_caller]
    fn check(&self, door: &str, expected: Expected, refusal: Option<String>) {
        match (expected, refusal) {
            (Granted, None) => {}
            (Refused(words), Some(text)) if text.contains(words) => {}
            (_, found) => panic!("{}, {door}: expected {expected:?}, found {found:?}", self.name),
        }
    }
}

/// Asks for the type as discovery does; the registry's refusal.
async fn discovery_refusal(asker: &ActrRef, found: &ActrRef) -> Option<String> {
    match within(asker.context().discover(found.actor_id().actr_type())).await {
        Ok(id) => {
            assert_eq!(id, found.actor_id());
            None
        }
        Err(ActrError::Discover(DiscoverError::Refused { cause, .. })) => Some(cause.into()),
        Err(error) => panic!("{error:?}"),
    }
}

/// Dials an address that it has from elsewhere, so that nobody but the callee decides, and calls; the refusal of either.
async fn call_refusal(outsider: &Outsider, callee: &ActrRef, address: SocketAddr) -> Option<String> {
    let mut peer = match connection::dial(address, &outsider.headers()).await {
        Ok(peer) => peer,
        Err((status, text)) => {
            assert_eq!(status, 403, "{text}");
            for id in [outsider.id(), &callee.actor_id()] {
                assert!(text.contains(&id.to_string()), "{text:?} lacks {id}");
            }
            return Some(text);
        }
    };
    call_over(&mut peer, outsider, callee).await
}

/// Calls over a connection; the callee's refusal.
async fn call_over(peer: &mut RawPeer, outsider: &Outsider, callee: &ActrRef) -> Option<String> {
    let (request_id, request) = peer.request(Ask::ROUTE, Ask::default().encode_to_vec());
    peer.send_record(RecordKind::RpcReliable, &request.encode()).await;
    let (kind, body) = peer.record().await;
    assert_eq!(kind, RecordKind::RpcReliable);
    match Envelope::decode(body).unwrap() {
        Envelope::Response {
            request_id: id,
            result: Ok(_),
            ..
        } if id == request_id => None,
        Envelope::Response {
            request_id: id,
            result: Err(ErrorReply { code, message }),
            ..
        } if id == request_id => {
            assert_eq!(code, ErrorCode::PermissionDenied);
            for part in [Ask::ROUTE, &outsider.id().to_string(), &callee.actor_id().to_string()] {
                assert!(message.as_str().contains(part), "{message:?} lacks {part}");
            }
            Some(message.into())
        }
        other => panic!("{other:?}"),
    }
}

/// A server that sends one frame of the stream that it is asked for.
fn one_frame(plan: NodePlan) -> NodePlan {
    plan.on(|request: Push, ctx: Context| async move {
        let mut sender = ctx.open_stream(&caller(&ctx), stream_id(&request.text)).await?;
        ctx.spawn(async move {
            // A receiver that does not want it has cancelled it; the receiver's side shows how.
            if sender.send("frame").await.is_ok() {
                let _ = sender.finish().await;
            }
        });
        Ok(Answer::default())
    })
}

/// Asks `server` for a stream of one frame; why it was refused.
async fn frames_refusal(receiver: &ActrRef, server: &ActrRef) -> Option<String> {
    let ctx = receiver.context();
    let mut subscription = ctx.subscribe(stream_id("asked"), &server.actor_id()).unwrap();
    let dest = Dest::actor(within(ctx.discover(server.actor_id().actr_type())).await.unwrap());
    let request = Push {
        text: "asked".into(),
        ..Push::default()
    };
    within(ctx.call(&dest, request)).await.unwrap();
    let first = within(subscription.next()).await;
    match subscription.end() {
        Some(StreamEnd::Denied(refusal)) => {
            assert_eq!(first, None, "a frame was handed over in spite of the list");
            Some(refusal.to_string())
        }
        end => {
            assert_eq!(first.map(|frame| frame.payload), Some("frame".into()), "{end:?}");
            None
        }
    }
}

#[tokio::test]
async fn every_rule_holds_for_discovery_calls_and_frames() {
    for case in &CASES {
        let world = World::new().await;
        let address = free_address();
        let node = case
            .guarded(world.node("Guarded").echo())
            .set(&format!("system.websocket.listen={address}"))
            .start()
            .await;

        let realm = format!("system.deployment.realm_id={}", case.realm);
        let caller = world.node("Caller").hidden().set(&realm).start().await;
        case.check("discovery", case.discovery, discovery_refusal(&caller, &node).await);
        drop(caller);

        let outsider = Outsider::in_realm(&world, "Caller", case.realm).await;
        case.check("call", case.call, call_refusal(&outsider, &node, address).await);

        // The server lets everybody in, so that the receiver's own list is the only one that can refuse.
        let open = r#"acl.rules=[{ permission = "allow", types = ["acme+Guarded"], realm = "*" }]"#;
        let server = one_frame(world.node("Caller")).set(&realm).set(open).start().await;
        case.check("frames", case.frames, frames_refusal(&node, &server).await);
        assert_eq!(
            node.unknown_frames(),
            u64::from(case.frames != Granted),
            "{}",
            case.name
        );
    }
}

#[tokio::test]
async fn only_the_named_sender_feeds_a_stream_whatever_the_list_says() {
    let mut pair = Pair::new().await;
    // The connection is open, but the registration names another sender.
    let ctx = pair.asked().await;
    let id = stream_id("guessed");
    let (named, mut contexts) = start_server(&pair.world, "Named").await;
    let mut subscription = pair.client.context().subscribe(id.clone(), &named.actor_id()).unwrap();
    let mut forger = ctx.open_stream(&caller(&ctx), id.clone()).await.unwrap();
    forger.send("forged").await.unwrap();
    let error = within(forger.closed()).await;
    assert_cancelled(&error, &id);
    let (server, client) = (pair.server.actor_id(), pair.client.actor_id());
    let text = format!("{client} has registered another sender for this stream than {server} (PermissionDenied)");
    assert!(error.to_string().contains(&text), "{error}");
    drop(forger);
    // Nor can it end the stream without a frame.
    ctx.open_stream(&caller(&ctx), id.clone())
        .await
        .unwrap()
        .finish()
        .await
        .unwrap();
    // What the forger sent has arrived when its own call has been answered.
    within(ctx.call(&caller(&ctx), Ask::default())).await.unwrap();
    assert_eq!((subscription.end(), pair.client.unknown_frames()), (None, 1));

    let dest = Dest::actor(named.actor_id());
    within(pair.client.context().call(&dest, Push::default()))
        .await
        .unwrap();
    let named_ctx = within(contexts.recv()).await.unwrap();
    let mut asked = named_ctx.open_stream(&caller(&named_ctx), id).await.unwrap();
    asked.send("genuine").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "genuine");
}

#[tokio::test]
async fn a_handler_may_take_a_stream_from_its_caller_alone() {
    let mut pair = Pair::new().await;
    let ctx = pair.asked().await;
    let id = stream_id("upload");
    let mut subscription = ctx.subscribe(id.clone(), &pair.client.actor_id()).unwrap();

    let stranger = pair.world.node("Stranger").hidden().start().await;
    let mut forger = stranger.context().open_stream(&pair.dest(), id.clone()).await.unwrap();
    forger.send("forged").await.unwrap();
    assert_cancelled(&within(forger.closed()).await, &id);

    let mut sender = pair.client.context().open_stream(&pair.dest(), id).await.unwrap();
    sender.send("genuine").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "genuine");
}

#[tokio::test]
async fn a_denied_sender_cannot_feed_a_stream() {
    let world = World::new().await;
    let denied = r#"acl.rules=[{ permission = "deny", types = ["acme+Sender"] }]"#;
    let address = free_address();
    let receiver = world
        .node("Receiver")
        .set(denied)
        .set(&format!("system.websocket.listen={address}"))
        .start()
        .await;
    let outsider = Outsider::new(&world, "Sender").await;
    let mut subscription = subscribe_from(receiver.context(), outsider.id(), "denied");
    let (status, text) = connection::dial(address, &outsider.headers()).await.err().unwrap();
    assert!(status == 403 && text.contains("denies"), "{status} {text}");
    assert_eq!(within(subscription.next()).await, None);
    assert!(
        matches!(subscription.end(), Some(StreamEnd::Denied(_))),
        "{:?}",
        subscription.end()
    );
}

#[tokio::test]
async fn whom_no_rule_admits_may_bring_what_was_asked_for_and_no_more() {
    let world = World::new().await;
    let address = free_address();
    let plan = world.node("Receiver").echo().set("acl.rules=[]");
    let receiver = plan.set(&format!("system.websocket.listen={address}")).start().await;
    let outsider = Outsider::new(&world, "Sender").await;
    let (status, text) = connection::dial(address, &outsider.headers()).await.err().unwrap();
    assert!(status == 403 && text.contains(NO_RULE), "{status} {text}");

    let mut subscription = subscribe_from(receiver.context(), outsider.id(), "asked");
    let mut peer = connection::dial(address, &outsider.headers()).await.unwrap();
    let refusal = call_over(&mut peer, &outsider, &receiver).await;
    assert!(refusal.is_some_and(|text| text.contains(NO_RULE)));
    peer.send_record(RecordKind::StreamReliable, &wire_bytes::frame("asked", 1, b"x"))
        .await;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "x");
}

#[tokio::test]
async fn a_node_that_is_not_admitted_learns_it_and_does_not_retry() {
    let world = World::new().await;
    let client = world.client().await;
    // The registry lets the client find this one, which admits nobody.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outsider = Outsider::listening(&world, "Strict", Some(listener.local_addr().unwrap())).await;
    let refusals = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_buf(&mut Vec::with_capacity(4096)).await.unwrap();
        let head = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n", NO_RULE.len());
        stream.write_all((head + NO_RULE).as_bytes()).await.unwrap();
        listener
    });
    let error = within(client.context().call(outsider.id(), Ask::default()))
        .await
        .unwrap_err();
    assert!(matches!(error, ActrError::NotAdmitted { .. }), "{error:?}");
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
    assert!(!error.is_transient() && error.to_string().contains(NO_RULE), "{error}");
    let listener = within(refusals).await.unwrap();
    assert!(listener.accept().now_or_never().is_none(), "it came again");
}
