//! How much metadata a call may carry.

use actr_lite::{ActrError, CallOptions, Dest, ErrorCode, Rpc as _};
use actr_lite_wire::{
    envelope::{Envelope, METADATA_ENTRY_COST},
    record::RecordKind,
};
use prost::Message as _;

use crate::{
    harness::{
        deadline::within,
        error_reply::remote_error,
        messages::{Ask, Push},
        server::start_plan,
        world::World,
    },
    raw_peer::outsider::Outsider,
};

/// Metadata that costs this much.
fn with_metadata(bytes: usize) -> CallOptions {
    CallOptions {
        metadata: vec![("k".into(), "v".repeat(bytes - 1 - METADATA_ENTRY_COST))],
        ..CallOptions::default()
    }
}

#[track_caller]
fn assert_names_metadata_limit(text: &str, len: usize) {
    for part in [&len.to_string(), "300", "system.limits.max_metadata_bytes"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn the_caller_refuses_metadata_over_the_limit() {
    let world = World::new().await;
    let client = world
        .node("Client")
        .hidden()
        .echo()
        .set("system.limits.max_metadata_bytes=300");
    let client = client.start().await;
    // Nobody is there: it does not come to that.
    let nobody = Outsider::new(&world, "Nobody").await;
    for dest in [Dest::Local, Dest::actor(nobody.id().clone())] {
        let call = client.context().call_with(&dest, Ask::default(), with_metadata(301));
        let error = within(call).await.unwrap_err();
        assert!(
            matches!(error, ActrError::MetadataTooLong { len: 301, .. }),
            "{error:?}"
        );
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert_names_metadata_limit(&error.to_string(), 301);
    }
    let call = client
        .context()
        .call_with(&Dest::Local, Ask::default(), with_metadata(300));
    within(call).await.unwrap();
}

#[tokio::test]
async fn the_callee_refuses_metadata_over_the_limit() {
    let world = World::new().await;
    let (server, mut contexts) = start_plan(world.node("Server").set("system.limits.max_metadata_bytes=300")).await;
    let dest = Dest::actor(server.actor_id());
    let client = world.client().await;
    let call = client.context().call_with(&dest, Push::default(), with_metadata(301));
    let (code, text) = remote_error(within(call).await.unwrap_err(), &dest, Push::ROUTE);
    assert_eq!(code, ErrorCode::InvalidArgument);
    assert_names_metadata_limit(&text, 301);

    // Of a message without an answer nothing is done either.
    let outsider = Outsider::new(&world, "Outsider").await;
    let mut peer = outsider.dial_extended(&server).await;
    let tell = Envelope::Tell {
        request_id: "told".into(),
        route_key: Push::ROUTE.into(),
        payload: Push::default().encode_to_vec().into(),
        metadata: with_metadata(301).metadata,
        trace: None,
    };
    peer.send_record(RecordKind::RpcReliable, &tell.encode()).await;
    peer.round_trip().await;
    assert!(contexts.try_recv().is_err());
    let call = client.context().call_with(&dest, Push::default(), with_metadata(300));
    within(call).await.unwrap();
}
