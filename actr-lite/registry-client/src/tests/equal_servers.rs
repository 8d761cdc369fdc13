use std::{collections::BTreeSet, time::Duration};

use actr_lite_wire::{
    identity::{ActrId, ActrType},
    proto::{
        RouteCandidatesResponse,
        route_candidates_response::{self, RouteCandidatesOk},
        signaling_to_actr::Payload,
    },
};

use super::scripted_registry::{ScriptedRegistry, answer, next_question};

/// So many clients go to one of two servers by chance less often than a machine fails.
const CLIENTS: usize = 100;

#[tokio::test(start_paused = true)]
async fn clients_of_a_registry_with_a_fixed_order_spread() {
    let mut registry = ScriptedRegistry::new(true);
    registry.register(Duration::from_secs(1000)).await;
    let mut socket = registry.open_and_confirm().await;
    let target: ActrType = "acme+Echo".parse().unwrap();
    let servers = [2, 3].map(|serial| ActrId::new(33, serial, target.clone()));
    let mut first = BTreeSet::new();
    for _ in 0..CLIENTS {
        let (link, target) = (registry.link.clone(), target.clone());
        let asking = tokio::spawn(async move { link.candidates(&target, 8, "").await });
        let (number, _) = next_question(&mut socket).await;
        let named = route_candidates_response::Result::Success(RouteCandidatesOk {
            candidates: servers.iter().map(Into::into).collect(),
            ..RouteCandidatesOk::default()
        });
        let response = RouteCandidatesResponse { result: Some(named) };
        answer(&mut socket, number, Payload::RouteCandidates(response)).await;
        let candidates = asking.await.unwrap().unwrap();
        assert_eq!(candidates.len(), 2);
        first.insert(candidates[0].id.serial_number());
    }
    assert_eq!(first, BTreeSet::from([2, 3]));
}
