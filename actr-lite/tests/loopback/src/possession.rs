//! Who is dialled learns its caller's credential, and gains nothing by it: not at a third node, not at the registry.

use std::net::SocketAddr;

use actr_lite::{ActrId, Dest};
use actr_lite_wire::{credential::Credential, possession::PROOF_HEADER, proto::AIdCredential};
use data_encoding::BASE64;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    harness::{
        address::free_address,
        deadline::within,
        messages::Ask,
        node_plan::NodePlan,
        server::{start_plan, start_server},
        world::World,
    },
    raw_peer::outsider::{CREDENTIAL, Outsider},
};

/// The head of a request or an answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// What `address` answers to this request, and the connection.
async fn ask(address: SocketAddr, request: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    (head(&mut stream).await, stream)
}

/// The same request is refused, and what it is told.
async fn refusal(address: SocketAddr, request: &str) -> String {
    let (answer, mut stream) = ask(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let mut text = String::new();
    within(stream.read_to_string(&mut text)).await.unwrap();
    text
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {request}"))
}

fn without(request: &str, name: &str) -> String {
    let lines = request.split_inclusive("\r\n");
    lines.filter(|line| !line.starts_with(name)).collect()
}

/// A node that passes its callers' requests on to another one, and keeps them.
struct Relay {
    listener: TcpListener,
    address: SocketAddr,
}

impl Relay {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// Passes one request on to `target`, and its answer back; the request and the answer.
    async fn pass_on(&self, target: SocketAddr) -> (String, String) {
        let (mut caller, _) = within(self.listener.accept()).await.unwrap();
        let request = head(&mut caller).await;
        let (answer, mut callee) = ask(target, &request).await;
        caller.write_all(answer.as_bytes()).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut caller, &mut callee).await });
        (request, answer)
    }
}

fn dest(id: &ActrId) -> Dest {
    Dest::actor(id.clone())
}

#[tokio::test]
async fn a_dialled_node_cannot_be_its_caller_to_a_third() {
    let world = World::new().await;
    let (third, _contexts) = start_server(&world, "Third").await;
    let client = world.client().await;
    let relay = Relay::new().await;
    let dialled = Outsider::listening(&world, "Dialled", Some(relay.address)).await;
    let lane = dialled.address_of(&third.actor_id()).await.unwrap();

    // While the caller waits: it would answer any question about itself.
    let (dialled_id, ctx) = (dest(dialled.id()), client.context());
    let call = ctx.call(&dialled_id, Ask::default());
    let (called, (request, answer)) = tokio::join!(within(call), relay.pass_on(lane));
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let error = called.unwrap_err().to_string();
    assert!(error.contains(&format!("is for node {}", dialled.id())), "{error}");
    // And later, with another proof or none.
    let text = refusal(lane, &request).await;
    assert!(text.contains("shown to another"), "{text}");
    let text = refusal(lane, &without(&request, PROOF_HEADER)).await;
    assert!(text.contains(PROOF_HEADER), "{text}");
}

/// A plan of a node whose callers come by way of `relay`, and where it listens.
fn behind(plan: NodePlan, relay: &Relay) -> (NodePlan, SocketAddr) {
    let listen = free_address();
    let plan = plan
        .set(&format!("system.websocket.listen={listen}"))
        .set(&format!("system.websocket.advertised=ws://{}", relay.address));
    (plan, listen)
}

#[tokio::test]
async fn a_request_that_somebody_has_seen_is_taken_once() {
    let world = World::new().await;
    let relay = Relay::new().await;
    let (plan, listen) = behind(world.node("Server").echo(), &relay);
    let (server, _contexts) = start_plan(plan).await;
    let client = world.client().await;
    let (server_id, ctx) = (dest(&server.actor_id()), client.context());
    let call = ctx.call(&server_id, Ask::default());
    let (called, (request, answer)) = tokio::join!(within(call), relay.pass_on(listen));
    called.unwrap();
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    let text = refusal(listen, &request).await;
    assert!(text.contains("used before"), "{text}");
    // What the proof belongs to is part of it.
    let key = header(&request, "sec-websocket-key");
    let other = request.replace(key, "dGhlIHNhbXBsZSBub25jZQ==");
    let text = refusal(listen, &other).await;
    assert!(text.contains("not for this request"), "{text}");
}

#[tokio::test]
async fn a_dialled_node_cannot_be_its_caller_to_the_registry() {
    let world = World::new().await;
    let client = world.client().await;
    let relay = Relay::new().await;
    let dialled = Outsider::listening(&world, "Dialled", Some(relay.address)).await;
    let registry = world.registry.local_addr();
    let (dialled_id, ctx) = (dest(dialled.id()), client.context());
    let call = ctx.call(&dialled_id, Ask::default());
    // The registry does not know the path, which is all the same here.
    let (_, (request, _)) = tokio::join!(within(call), relay.pass_on(registry));

    let credential = Credential::from_header(header(&request, CREDENTIAL).as_bytes()).unwrap();
    let AIdCredential {
        key_id,
        claims,
        signature,
    } = credential.into();
    let encoded = |bytes: &[u8]| BASE64.encode(bytes).replace('+', "%2B");
    let upgrade = format!(
        "GET /signaling/ws?actor_id={}&key_id={key_id}&claims={}&signature={} HTTP/1.1\r\nhost: {registry}\r\n\
         connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {}\r\n",
        client.actor_id(),
        encoded(&claims),
        encoded(&signature),
        header(&request, "sec-websocket-key"),
    );
    let text = refusal(registry, &format!("{upgrade}\r\n")).await;
    assert!(text.contains(PROOF_HEADER), "{text}");
    let proof = header(&request, PROOF_HEADER);
    let text = refusal(registry, &format!("{upgrade}{PROOF_HEADER}: {proof}\r\n\r\n")).await;
    assert!(text.contains("shown to another"), "{text}");
    // Its own connection was not replaced, and it is who it was.
    let before = client.actor_id();
    let third = Outsider::listening(&world, "Third", Some(relay.address)).await;
    let found = within(client.context().discover(third.id().actr_type())).await;
    assert_eq!(found.unwrap(), *third.id());
    assert_eq!(client.actor_id(), before);
}
