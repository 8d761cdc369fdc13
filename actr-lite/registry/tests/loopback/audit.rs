//! The audit log has a line for each registration, refusal, type that changes hands, and new signing key.

use std::{fs, path::Path, time::Duration};

use actr_lite_registry::{Options, Realms};
use hyper::StatusCode;
use prost::Message as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    client::{CLIENT, SERVER, ais, connect, http, id_of, post, register, renew, request, start},
    hostile::raw,
};

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The lines of this event, in their order.
fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

#[tokio::test]
async fn the_audit_log_tells_who_was_granted_and_refused_what() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let registry = start(Options {
        audit_log: Some(path.clone()),
        ..Options::default()
    })
    .await;
    let address = registry.local_addr();
    let granted = register(address, 1, SERVER).await;
    let neighbour = register(address, 2, SERVER).await;
    register(address, 2, SERVER).await;
    let mut wrong = request(1, CLIENT);
    wrong.ws_address = Some("http://\n\"evil\"".into());
    ais(address, "/ais/register", wrong.encode_to_vec()).await.unwrap_err();
    let mut stale = granted.clone();
    stale.renewal_token = Some(vec![1; 32].into());
    renew(address, &stale).await.unwrap_err();
    let mut forged = granted.clone();
    forged.actr_id = neighbour.actr_id.clone();
    assert!(connect(address, &forged).await.is_err());
    raw(
        address,
        b"GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
    )
    .await;
    registry.shutdown().await;

    let lines = lines(&path);
    let registered = of(&lines, "registered");
    assert_eq!(registered.len(), 3, "{lines:?}");
    assert_eq!(registered[0]["id"], id_of(&granted).to_string());
    assert_eq!(
        (&registered[0]["type"], &registered[0]["realm"]),
        (&SERVER.into(), &1.into())
    );
    assert!(registered[0]["address"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(registered[0]["ws_address"], "ws://127.0.0.1:9");
    assert!(registered[0]["time"].as_str().unwrap().starts_with("20"));

    let taken = of(&lines, "type_taken_over");
    assert_eq!(taken.len(), 1, "once, and not by who was there before: {taken:?}");
    assert_eq!(taken[0]["id"], id_of(&neighbour).to_string());
    assert_eq!(taken[0]["held_by_realms"], Value::from(vec![1]));

    let refused = of(&lines, "registration_refused");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["type"], CLIENT);
    assert!(refused[0]["reason"].as_str().unwrap().contains("ws_address"));
    let renewal = of(&lines, "renewal_refused");
    assert_eq!(
        (renewal.len(), &renewal[0]["id"]),
        (1, &id_of(&granted).to_string().into())
    );
    let requests = of(&lines, "request_refused");
    let statuses: Vec<_> = requests.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [401, 421]);
    assert_eq!(of(&lines, "signing_keys").len(), 1);
}

#[tokio::test]
async fn a_rotated_key_and_a_missing_secret_are_in_the_audit_log() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("audit.jsonl");
    let registry = start(Options {
        audit_log: Some(path.clone()),
        credential_lifetime: Duration::from_secs(1),
        key_lifetime: Duration::from_secs(1),
        realms: Realms::only(1, b"a secret of many characters"),
        ..Options::default()
    })
    .await;
    let (status, _) = http(
        registry.local_addr(),
        post("/ais/register", request(1, SERVER).encode_to_vec()),
    )
    .await;
    assert_eq!(status, StatusCode::OK, "the refusal is in the answer");
    while of(&lines(&path), "signing_keys").len() < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    registry.shutdown().await;
    let lines = lines(&path);
    let keys = of(&lines, "signing_keys");
    assert_ne!(keys[0]["signs"], keys[1]["signs"]);
    assert!(keys[1]["valid"].as_array().unwrap().contains(&keys[0]["signs"]));
    assert_eq!(of(&lines, "registration_refused")[0]["code"], "PermissionDenied");
}
