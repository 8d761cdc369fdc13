//! A peer that is too slow is given up.

use actr_lite_registry::Options;
use actr_lite_wire::proto::{GetServiceSpecRequest, actr_to_signaling::Payload as Request};
use prost::Message as _;

use crate::{
    client::{SERVER, ais, id_of, request, start, within},
    logs,
    misbehaviour::{Then, bystander::Bystander, newcomer, raw, told::Told},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_or_a_body_that_dribbles_in_is_given_up_with_a_408() {
    logs::capture();
    let registry = start(Options::default()).await;
    let bystander = Bystander::start(&registry).await;
    let address = registry.local_addr();
    let body = "POST /ais/register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nabc";
    let log = logs::position();
    let (head, body, silent) = tokio::join!(
        raw(address, b"GET /signaling/ws HTTP/1.1\r\nhos", Then::Wait),
        raw(address, body.as_bytes(), Then::Wait),
        raw(address, b"", Then::Wait),
    );
    for ((peer, answer), expected) in [(head, "head took too long"), (body, "body took longer than 10 s")] {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains(expected), "{answer}");
        assert_eq!(logs::about(&peer.to_string(), log).len(), 1, "{expected}");
    }
    // A peer that says nothing at all may have changed its mind.
    assert_eq!(silent.1, "");
    let misbehaviour = registry.misbehaviour();
    assert_eq!(
        (misbehaviour.unreadable_requests, misbehaviour.refused_requests),
        (1, 1)
    );
    bystander.finish().await;
    registry.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_does_not_read_its_answers_is_closed() {
    logs::capture();
    let registry = start(Options::default()).await;
    let bystander = Bystander::start(&registry).await;
    let mut large = request(1, SERVER);
    large.service_spec.as_mut().unwrap().description = Some("d".repeat(900_000));
    ais(registry.local_addr(), "/ais/register", large.encode_to_vec())
        .await
        .unwrap();
    let (granted, mut node) = newcomer(&registry).await;
    let mut told = Told::nothing(&registry);
    // Together more than the system holds for a connection.
    for _ in 0..50 {
        let request = GetServiceSpecRequest {
            name: SERVER.into(),
            fingerprint: None,
        };
        let flow = node.message(Some(Request::GetServiceSpec(request)));
        node.send(flow, 1).await;
    }
    within(async {
        while registry.misbehaviour().unread_answers == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    drop(node);
    bystander.finish().await;
    told.assert_one_more(&id_of(&granted).to_string(), "unread answers")
        .await;
    registry.shutdown().await;
}
