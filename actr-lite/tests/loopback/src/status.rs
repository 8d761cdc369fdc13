//! What a node tells about itself over HTTP.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
    task::yield_now,
};

use crate::harness::{
    address::free_address, deadline::within, node_plan::NodePlan, pair::Pair, server::start_plan, stream::caller,
    stream::stream_id, world::World,
};

/// The status of an answer, and its body.
async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    get_with(address, path, "host: localhost").await
}

async fn get_with(address: SocketAddr, path: &str, fields: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\n{fields}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

pub(crate) async fn status(address: SocketAddr) -> Value {
    let (status, body) = get(address, "/api/v1/status").await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The only row of a table.
pub(crate) fn row(table: &Value) -> &Value {
    assert_eq!(table["count"], 1, "{table}");
    table["rows"].as_object().unwrap().values().next().unwrap()
}

pub(crate) fn telling(plan: NodePlan, address: SocketAddr) -> NodePlan {
    plan.set(&format!("system.admin.listen={address}"))
}

#[tokio::test]
async fn both_ends_show_a_stream_as_it_goes_and_when_it_is_over() {
    let (at_server, at_client) = (free_address(), free_address());
    let mut pair = Pair::start(|plan| telling(plan, at_server), |plan| telling(plan, at_client)).await;
    let id = stream_id("shown");
    let (passed, mut frames) = tokio::sync::mpsc::unbounded_channel();
    let registration = pair.register(&id, move |frame| passed.send(frame.sequence).unwrap());
    let mut registration = registration.expect_frames(10);
    let mut sender = pair.open(&id).await.expect_frames(10);
    for _ in 0..3 {
        sender.send("four").await.unwrap();
        within(frames.recv()).await.unwrap();
    }
    let server = status(at_server).await;
    assert_eq!(server["registry"], Value::Null);
    let node = &server["node"];
    assert_eq!(
        (&node["id"], &node["state"]),
        (&pair.server.actor_id().to_string().into(), &"running".into())
    );
    let sent = row(&node["streams"]);
    assert_eq!(
        (&sent["id"], &sent["direction"], &sent["frames"]),
        (&"shown".into(), &"out".into(), &3.into())
    );
    assert_eq!((&sent["bytes"], &sent["waiting_since"]), (&12.into(), &Value::Null));
    assert_eq!((&sent["expected"], &sent["done"]), (&10.into(), &3.into()));
    assert_eq!(sent["peer"], pair.client.actor_id().to_string());
    assert!(sent["credit"].as_u64().unwrap() > 100_000, "{sent}");
    let connection = row(&node["connections"]);
    assert_eq!(
        (&connection["direction"], &connection["tls"]),
        (&"in".into(), &false.into())
    );
    let totals = &node["totals"];
    assert_eq!(
        (&totals["frames_out"], &totals["streams_out"], &totals["calls_served"]),
        (&3.into(), &1.into(), &1.into())
    );

    let client = status(at_client).await;
    let received = row(&client["node"]["streams"]);
    assert_eq!(
        (&received["direction"], &received["expected"], &received["done"]),
        (&"in".into(), &10.into(), &3.into())
    );
    assert_eq!(row(&client["node"]["connections"])["direction"], "out");

    sender.finish().await.unwrap();
    within(registration.ended()).await;
    drop(registration);
    let client = status(at_client).await;
    let totals = &client["node"]["totals"];
    assert_eq!(
        (&totals["frames_in"], &totals["bytes_in"], &totals["streams_ended"]),
        (&3.into(), &12.into(), &1.into())
    );
    assert_eq!(client["node"]["streams"]["count"], 0);
    let events = client["events"].as_array().unwrap();
    let ended = events.iter().find(|event| event["kind"] == "stream_ended").unwrap();
    assert_eq!((&ended["stream"], &ended["frames"]), (&"shown".into(), &3.into()));
}

#[tokio::test]
async fn a_sender_that_waits_for_credit_shows_since_when() {
    let at_server = free_address();
    let mut pair = Pair::start(|plan| telling(plan, at_server), |plan| plan).await;
    let id = stream_id("stalled");
    let _untouched = pair.subscribe(&id);
    let mut sender = pair.open(&id).await;
    let sending = tokio::spawn(async move { while sender.send([7; 1000]).await.is_ok() {} });
    let shown = within(async {
        loop {
            let shown = status(at_server).await["node"].clone();
            if row(&shown["streams"])["waiting_since"].is_string() {
                return shown;
            }
        }
    })
    .await;
    assert_eq!(row(&shown["streams"])["credit"], 0);
    sending.abort();
}

#[tokio::test]
async fn a_call_that_is_served_is_shown_at_both_ends() {
    let (at_server, at_client) = (free_address(), free_address());
    let world = World::new().await;
    let (release, released) = oneshot::channel::<()>();
    let released = std::sync::Arc::new(tokio::sync::Mutex::new(Some(released)));
    let server = telling(world.node("Server"), at_server)
        .on(move |_: crate::harness::messages::Ask, _| {
            let released = std::sync::Arc::clone(&released);
            async move {
                released.lock().await.take().unwrap().await.unwrap();
                Ok(crate::harness::messages::Answer::default())
            }
        })
        .start()
        .await;
    let client = telling(world.node("Client").hidden(), at_client).start().await;
    let dest = actr_lite::Dest::actor(server.actor_id());
    let context = client.context().clone();
    let call = tokio::spawn(async move { context.call(&dest, crate::harness::messages::Ask::default()).await });
    for (address, direction) in [(at_server, "in"), (at_client, "out")] {
        within(async {
            while status(address).await["node"]["calls"]["count"] == 0 {
                yield_now().await;
            }
        })
        .await;
        let shown = status(address).await;
        let call = row(&shown["node"]["calls"]);
        assert_eq!(call["direction"], direction);
        assert!(call["route"].as_str().unwrap().contains("Ask"), "{call}");
    }
    release.send(()).unwrap();
    within(call).await.unwrap().unwrap();
    assert_eq!(status(at_client).await["node"]["calls"]["count"], 0);
}

#[tokio::test]
async fn a_node_that_drains_is_not_ready_before_its_streams_end() {
    let address = free_address();
    let world = World::new().await;
    let (server, mut contexts) = start_plan(telling(world.node("Server"), address)).await;
    assert_eq!(get(address, "/readyz").await, (200, "ready\n".into()));
    let client = world.client().await;
    let dest = actr_lite::Dest::actor(server.actor_id());
    within(client.context().call(&dest, crate::harness::messages::Push::default()))
        .await
        .unwrap();
    let ctx = within(contexts.recv()).await.unwrap();
    let mut subscription = crate::harness::stream::subscribe_from(client.context(), &server.actor_id(), "last");
    let mut sender = ctx.open_stream(&caller(&ctx), stream_id("last")).await.unwrap();
    let (go, gone) = oneshot::channel::<()>();
    ctx.spawn(async move {
        let _ = gone.await;
        sender.send("still").await.unwrap();
        sender.finish().await.unwrap();
    });
    let stopping = server.clone();
    let stopping = tokio::spawn(async move { stopping.shutdown().await });
    let reason = within(async {
        loop {
            match get(address, "/readyz").await {
                (503, reason) => return reason,
                _ => yield_now().await,
            }
        }
    })
    .await;
    assert_eq!(reason, "the node is shutting down\n");
    assert_eq!(get(address, "/livez").await.0, 200);
    assert_eq!(status(address).await["node"]["state"], "draining");
    go.send(()).unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "still");
    within(stopping).await.unwrap();
}

#[tokio::test]
async fn a_host_shows_its_registry_and_itself_on_one_port() {
    let world = World::new().await;
    let address = free_address();
    let host = world
        .node("Host")
        .set("system.signaling.embedded=true")
        .set(&format!("system.signaling.url=ws://{address}/signaling/ws"))
        .start()
        .await;
    let shown = status(address).await;
    let id = host.actor_id();
    assert_eq!(shown["readiness"]["ready"], true);
    assert_eq!(shown["node"]["id"], id.to_string());
    assert_eq!(row(&shown["registry"]["nodes"])["id"], id.to_string());
    host.shutdown().await;
}

#[tokio::test]
async fn a_page_of_another_site_gets_nothing_of_a_nodes_port() {
    const ROUTES: [&str; 7] = [
        "/",
        "/page/page.js",
        "/livez",
        "/readyz",
        "/metrics",
        "/api/v1/status",
        "/api/v1/events",
    ];
    let address = free_address();
    let world = World::new().await;
    let node = telling(world.node("Node"), address).start().await;
    for route in ROUTES {
        for (fields, refused) in [
            ("host: evil.example", 421),
            ("host: localhost\r\norigin: http://evil.example", 403),
            ("host: localhost\r\norigin: null", 403),
        ] {
            let (status, text) = get_with(address, route, fields).await;
            assert_eq!((status, text.lines().count()), (refused, 1), "{route}: {text}");
        }
        if route != "/api/v1/events" {
            let own = format!("host: {address}\r\norigin: http://{address}");
            assert_eq!(get_with(address, route, &own).await.0, 200, "{route}");
        }
    }
    node.shutdown().await;
}

#[tokio::test]
async fn only_with_tls_and_a_token_do_others_reach_the_status() {
    let world = World::new().await;
    world.certify();
    let token = world.folder.path().join("token");
    std::fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    let address = format!("0.0.0.0:{}", free_address().port());
    let open = || world.node("Open").set(&format!("system.admin.listen={address}"));
    let refused = async |plan: NodePlan| match within(plan.node().start()).await {
        Ok(_) => panic!("it has started"),
        Err(error) => error.to_string(),
    };
    let error = refused(open()).await;
    assert!(
        error.starts_with("the node's status is not to listen on 0.0.0.0:") && error.contains("TLS and an admin token"),
        "{error}"
    );
    assert!(
        error.contains("[system.tls]") && error.contains("add token_file to [system.admin]"),
        "{error}"
    );
    let error = refused(open().with_tls()).await;
    assert!(error.contains("without an admin token: add token_file"), "{error}");
    let with_token = || open().set("system.admin.token_file=token");
    assert!(refused(with_token()).await.contains("without TLS: "));
    with_token().with_tls().start().await.shutdown().await;
    let open = open().set("system.insecure=true").start().await;
    open.shutdown().await;
}
