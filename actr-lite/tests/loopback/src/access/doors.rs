//! Every rule holds at each door: discovery, calls, and frames.

use std::net::SocketAddr;

use actr_lite::{ActrError, ActrRef, Context, Dest, DiscoverError, ErrorCode, Rpc as _, StreamEnd};
use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    record::RecordKind,
};

use prost::Message as _;

use crate::{
    access::{Expected::Granted, case::CASES},
    harness::{
        address::free_address,
        deadline::within,
        messages::{Answer, Ask, Push},
        node_plan::NodePlan,
        stream::{caller, stream_id},
        world::World,
    },
    raw_peer::{connection, connection::RawPeer, outsider::Outsider},
};

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
pub(super) async fn call_over(peer: &mut RawPeer, outsider: &Outsider, callee: &ActrRef) -> Option<String> {
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
