//! What a registry tells about itself: whether it is well, who is registered, and what happens.

use std::{net::SocketAddr, time::Duration};

use actr_lite_registry::Options;
use actr_lite_wire::proto::{UnregisterRequest, actr_to_signaling::Payload as Ask};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, task::AbortHandle};

use crate::client::{CLIENT, SERVER, connect, http, id_of, post, register, start, within};

fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("host", "localhost");
    request.body(Full::default()).unwrap()
}

async fn status(address: SocketAddr, page: usize) -> Value {
    let (status, body) = http(address, get(&format!("/api/v1/status?page={page}"))).await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_slice(&body).unwrap()
}

/// Reads server-sent events.
struct Reader {
    body: Incoming,
    unread: String,
    connection: AbortHandle,
}

impl Reader {
    async fn start(address: SocketAddr, last_event_id: Option<&str>) -> Result<Self, StatusCode> {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection).abort_handle();
        let mut request = get("/api/v1/events");
        if let Some(id) = last_event_id {
            request.headers_mut().insert("last-event-id", id.parse().unwrap());
        }
        let response = within(sender.send_request(request)).await.unwrap();
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Ok(Self {
            body: response.into_body(),
            unread: String::new(),
            connection,
        })
    }

    /// The next message of this name, and its data; `None` if the stream ends before.
    async fn next(&mut self, name: &str) -> Option<Value> {
        loop {
            while let Some((message, rest)) = self.unread.split_once("\n\n") {
                let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
                let data = (field("event: ") == Some(name)).then(|| field("data: ").unwrap());
                let data = data.map(|data| serde_json::from_str(data).unwrap());
                self.unread = rest.to_owned();
                if data.is_some() {
                    return data;
                }
            }
            let frame = within(self.body.frame()).await?.ok()?;
            self.unread += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

#[tokio::test]
async fn a_registry_that_listens_is_live_and_ready() {
    let registry = start(Options::default()).await;
    for path in ["/livez", "/readyz"] {
        let (status, text) = http(registry.local_addr(), get(path)).await;
        assert_eq!(status, StatusCode::OK, "{text:?}");
        let (status, _) = http(registry.local_addr(), post(path, Vec::new())).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    }
    registry.shutdown().await;
}

#[tokio::test]
async fn the_status_has_each_node_and_what_happened() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let server = register(address, 1, SERVER).await;
    let client = register(address, 2, CLIENT).await;
    let mut connected = connect(address, &client).await.unwrap();
    let status_now = status(address, 1).await;
    assert_eq!(status_now["readiness"]["ready"], true);
    assert_eq!(status_now["node"], Value::Null);
    let shown = &status_now["registry"];
    assert_eq!(shown["address"], address.to_string());
    assert_eq!(
        (&shown["totals"]["nodes"], &shown["totals"]["connections"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        (&shown["totals"]["registered"], &shown["totals"]["signing_keys"]),
        (&2.into(), &1.into())
    );
    assert_eq!(shown["nodes"]["count"], 2);
    let id = id_of(&server);
    let row = &shown["nodes"]["rows"][id.serial_number().to_string()];
    assert_eq!(
        (&row["id"], &row["type"], &row["realm"]),
        (&id.to_string().into(), &SERVER.into(), &1.into())
    );
    assert_eq!(
        (&row["address"], &row["state"]),
        (&"ws://127.0.0.1:9".into(), &"available".into())
    );
    let kinds: Vec<_> = status_now["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["kind"])
        .collect();
    assert_eq!(kinds, ["registered", "registered"]);
    // The credential and the token of renewal prove who a node is.
    let text = status_now.to_string();
    assert!(!text.contains("credential") && !text.contains("renewal"), "{text}");

    let unregister = UnregisterRequest {
        actr_id: client.actr_id.clone(),
        reason: None,
    };
    connected.ask(Ask::Unregister(unregister)).await;
    let later = status(address, 1).await;
    assert_eq!(later["registry"]["totals"]["left"], 1);
    assert_eq!(later["events"][2]["kind"], "left");
    assert_eq!(
        status(address, 2).await["registry"]["nodes"]["rows"],
        Value::Object(Default::default())
    );
    registry.shutdown().await;
}

#[tokio::test]
async fn whoever_reads_events_sees_what_happens_until_the_end() {
    let registry = start(Options {
        heartbeat_interval: Duration::from_secs(1),
        ..Options::default()
    })
    .await;
    let address = registry.local_addr();
    let mut reader = Reader::start(address, None).await.unwrap();
    let first = reader.next("status").await.unwrap();
    assert_eq!(first["registry"]["nodes"]["count"], 0);
    let id = id_of(&register(address, 1, SERVER).await);
    let event = reader.next("event").await.unwrap();
    assert_eq!(
        (&event["kind"], &event["node"]),
        (&"registered".into(), &id.to_string().into())
    );
    let patch = reader.next("patch").await.unwrap();
    assert_eq!(patch["registry"]["nodes"]["count"], 1, "{patch}");
    assert!(
        patch["program"]["time"].is_string() && patch.get("readiness").is_none(),
        "{patch}"
    );
    let event = reader.next("event").await.unwrap();
    assert_eq!(event["kind"], "lease_expired");

    let mut again = Reader::start(address, Some("1")).await.unwrap();
    let first = again.next("status").await.unwrap();
    assert_eq!(first["events"][1]["kind"], "lease_expired");
    registry.shutdown().await;
    while reader.next("event").await.is_some() {}
}

#[tokio::test]
async fn there_is_a_most_of_readers_and_one_that_leaves_makes_room() {
    let registry = start(Options::default()).await;
    let address = registry.local_addr();
    let mut readers = Vec::new();
    let refused = loop {
        match Reader::start(address, None).await {
            Ok(reader) => readers.push(reader),
            Err(status) => break status,
        }
    };
    assert_eq!((refused, readers.len()), (StatusCode::SERVICE_UNAVAILABLE, 8));
    let (status, _) = http(address, get("/api/v1/status")).await;
    assert_eq!(status, StatusCode::OK, "it can be asked all the same");
    drop(readers.pop());
    within(async {
        while Reader::start(address, None).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(registry.misbehaviour().total(), 0, "to leave is no wrong");
    registry.shutdown().await;
}

#[tokio::test]
async fn with_a_token_only_who_shows_it_is_told_anything() {
    let token = "0123456789abcdef0123456789abcdef";
    let registry = start(Options {
        admin_token: Some(token.parse().unwrap()),
        ..Options::default()
    })
    .await;
    let address = registry.local_addr();
    let ask = |path: &str, shown: Option<String>| {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header("host", "localhost");
        if let Some(shown) = shown {
            request = request.header("authorization", shown);
        }
        http(address, request.body(Full::default()).unwrap())
    };
    for path in ["/livez", "/readyz", "/health", "/"] {
        assert_eq!(ask(path, None).await.0, StatusCode::OK, "{path}");
    }
    for path in ["/metrics", "/api/v1/status", "/api/v1/events"] {
        for wrong in [None, Some("Bearer 0123456789abcdef".to_owned()), Some(token.to_owned())] {
            let (status, text) = ask(path, wrong).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(!String::from_utf8_lossy(&text).contains(token));
        }
    }
    let shown = Some(format!("Bearer {token}"));
    assert_eq!(ask("/api/v1/status", shown).await.0, StatusCode::OK);
    registry.shutdown().await;
}
