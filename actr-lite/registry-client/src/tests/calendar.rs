use std::time::Duration;

use actr_lite_wire::proto::{
    ActrRelay, RouteCandidatesResponse, SignalingEnvelope, SignalingToActr, route_candidates_response,
    signaling_envelope::Flow, signaling_to_actr::Payload,
};
use prost_types::Timestamp;

use super::scripted_registry::{ScriptedRegistry, Socket, answer, next_question, next_request, pong, say};

async fn say_at(socket: &mut Socket, reply_for: Option<String>, seconds: i64, flow: Flow) {
    let timestamp = Some(Timestamp { seconds, nanos: 0 });
    say(
        socket,
        SignalingEnvelope {
            envelope_version: 1,
            reply_for,
            timestamp,
            flow: Some(flow),
            ..SignalingEnvelope::default()
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_the_registry_relays_does_not_tell_what_time_it_is() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(Duration::from_secs(3600)).await;
    let mut socket = registry.open().await;
    let (heartbeat, _) = next_request(&mut socket).await;
    let heard = Flow::ServerToActr(SignalingToActr {
        payload: Some(pong()),
        ..SignalingToActr::default()
    });
    say_at(&mut socket, Some(heartbeat), 5000, heard).await;
    say_at(&mut socket, None, 9_000_000, Flow::ActrRelay(ActrRelay::default())).await;
    // When this is answered, all that was said before was heard.
    let link = registry.link.clone();
    let target = "acme+Echo".parse().unwrap();
    let asking = tokio::spawn(async move { link.candidates(&target, 1, "").await });
    let (id, _) = next_question(&mut socket).await;
    let none = route_candidates_response::Result::Success(Default::default());
    let response = RouteCandidatesResponse { result: Some(none) };
    answer(&mut socket, id, Payload::RouteCandidates(response)).await;
    asking.await.unwrap().unwrap();
    let now = registry.link.unix_seconds();
    assert!((5000..6000).contains(&now), "{now}");
}
