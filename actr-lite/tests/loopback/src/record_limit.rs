//! Nodes with different record limits: neither sends what the other does not take, and each enforces its own.

use actr_lite::{ActrError, ActrRef, Context, Dest, ErrorCode, Rpc as _, SendError, StreamEnd};
use actr_lite_wire::record::{EXTENSION, HEADER_LEN, RecordKind};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
};
use tokio_tungstenite::tungstenite::{Message, handshake::derive_accept_key};

use crate::{
    harness::{
        deadline::within,
        error_reply::remote_error,
        messages::{Answer, Ask, Push},
        stream::{caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{
        connection::dial,
        outsider::Outsider,
        wire_bytes::{frame, record},
    },
};

const LOW: usize = 64 << 10;
const HIGH: usize = 8 << 20;

/// What an envelope and a frame have beside what they carry, at most.
const OVERHEAD: usize = 400;

struct Nodes {
    world: World,
    server: ActrRef,
    client: ActrRef,
    contexts: mpsc::UnboundedReceiver<Context>,
}

impl Nodes {
    async fn new(server_limit: usize, client_limit: usize) -> Self {
        let world = World::new().await;
        let (pushes, contexts) = mpsc::unbounded_channel();
        let server = world
            .node("Server")
            .set(&format!("system.websocket.max_record_bytes={server_limit}"))
            .on(|request: Ask, _| async move {
                // As long as asked for.
                Ok(Answer {
                    text: request.data.len().to_string(),
                    data: vec![1; request.number as usize].into(),
                })
            })
            .on(move |_: Push, ctx| {
                pushes.send(ctx).unwrap();
                async { Ok(Answer::default()) }
            })
            .start()
            .await;
        let client = world
            .node("Client")
            .hidden()
            .set(&format!("system.websocket.max_record_bytes={client_limit}"))
            .start()
            .await;
        Self {
            world,
            server,
            client,
            contexts,
        }
    }

    fn dest(&self) -> Dest {
        Dest::actor(self.server.actor_id())
    }

    async fn ask(&self, request_len: usize, answer_len: usize) -> Result<Answer, ActrError> {
        let ask = Ask {
            data: vec![2; request_len].into(),
            number: answer_len as u64,
            ..Ask::default()
        };
        within(self.client.context().call(&self.dest(), ask)).await
    }
}

/// Frames both ways, of a length that goes and of one that does not.
async fn exchange_frames(nodes: &mut Nodes, limit: usize) {
    within(nodes.client.context().call(&nodes.dest(), Push::default()))
        .await
        .unwrap();
    let ctx = within(nodes.contexts.recv()).await.unwrap();
    let directions = [
        (&ctx, caller(&ctx), nodes.client.context()),
        (nodes.client.context(), nodes.dest(), nodes.server.context()),
    ];
    for (at, (from, to, receiver)) in directions.into_iter().enumerate() {
        let id = format!("frames{at}");
        let mut subscription = subscribe_from(receiver, &from.self_id(), &id);
        let mut sender = from.open_stream(&to, stream_id(&id)).await.unwrap();
        match within(sender.send(vec![3; limit])).await.unwrap_err() {
            SendError::TooLong { len, limit: named } => assert!(named == limit && len > limit, "{len}, {named}"),
            error => panic!("{error:?}"),
        }
        let payload = vec![4; limit - OVERHEAD];
        let sending = tokio::spawn(async move {
            sender.send(payload).await.unwrap();
            sender.finish().await.unwrap();
        });
        assert_eq!(
            within(subscription.next()).await.unwrap().payload.len(),
            limit - OVERHEAD
        );
        assert_eq!(within(subscription.next()).await, None);
        assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: 1 }));
        sending.await.unwrap();
    }
}

async fn exchange_calls(nodes: &Nodes, limit: usize) {
    let fits = limit - OVERHEAD;
    let answer = nodes.ask(fits, fits).await.unwrap();
    assert_eq!((answer.text, answer.data.len()), (fits.to_string(), fits));
    match nodes.ask(limit, 0).await.unwrap_err() {
        ActrError::TooLong { len, limit: named } => assert!(named == limit && len > limit, "{len}, {named}"),
        error => panic!("{error:?}"),
    }
    let error = nodes.ask(0, limit).await.unwrap_err();
    let (code, message) = remote_error(error, &nodes.dest(), Ask::ROUTE);
    assert_eq!(code, ErrorCode::InvalidArgument);
    assert!(
        message.contains(&limit.to_string()) && message.contains("max_record_bytes"),
        "{message}"
    );
    // None of it has hurt the connection.
    assert_eq!(nodes.ask(1, 1).await.unwrap().text, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lower_limit_of_two_nodes_counts_in_both_directions() {
    for (server, client) in [(LOW, HIGH), (HIGH, LOW)] {
        let mut nodes = Nodes::new(server, client).await;
        exchange_calls(&nodes, LOW).await;
        exchange_frames(&mut nodes, LOW).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_with_a_higher_limit_exchange_longer_records() {
    let mut nodes = Nodes::new(HIGH, HIGH).await;
    exchange_calls(&nodes, HIGH).await;
    exchange_frames(&mut nodes, HIGH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lowest_limit_is_enough_for_calls_streams_and_a_cancel() {
    let mut nodes = Nodes::new(1024, HIGH).await;
    exchange_calls(&nodes, 1024).await;
    exchange_frames(&mut nodes, 1024).await;
    within(nodes.client.context().call(&nodes.dest(), Push::default()))
        .await
        .unwrap();
    let ctx = within(nodes.contexts.recv()).await.unwrap();
    // The longest id that there is.
    let id = stream_id(&"x".repeat(128));
    let mut subscription = subscribe_from(nodes.client.context(), &nodes.server.actor_id(), id.as_str());
    let mut sender = ctx.open_stream(&caller(&ctx), id.clone()).await.unwrap();
    sender.send("x").await.unwrap();
    assert_eq!(within(subscription.next()).await.unwrap().payload, "x");
    drop(subscription);
    crate::harness::stream::assert_cancelled(&within(sender.closed()).await, &id);
    assert_eq!(nodes.ask(1, 1).await.unwrap().text, "1");
}

#[tokio::test]
async fn a_peer_that_ignores_the_limit_is_closed() {
    let nodes = Nodes::new(LOW, HIGH).await;
    let outsider = Outsider::new(&nodes.world, "Official").await;
    for (extended, len, code) in [(false, LOW + 1, 1009), (true, LOW + 1, 1009), (true, HIGH, 1009)] {
        let mut peer = match extended {
            true => outsider.dial_extended(&nodes.server).await,
            false => outsider.dial(&nodes.server).await,
        };
        // What keeps to it is taken.
        let overhead = frame("x", 1, &vec![0; LOW - 100]).len() - (LOW - 100);
        let longest = frame("x", 1, &vec![0; LOW - overhead]);
        assert_eq!(longest.len(), LOW);
        peer.send_record(RecordKind::StreamReliable, &longest).await;
        let request = peer.ask(Ask::ROUTE, Ask::default().encode_to_vec()).await;
        loop {
            // An extended peer is told that nobody wants its stream, before the answer.
            let (kind, body) = peer.record().await;
            if kind == RecordKind::RpcReliable {
                let envelope = actr_lite_wire::envelope::Envelope::decode(body).unwrap();
                assert!(
                    matches!(envelope, actr_lite_wire::envelope::Envelope::Response { request_id, .. } if request_id == request)
                );
                break;
            }
        }
        let message = Message::binary(record(RecordKind::StreamReliable, &vec![0; len]));
        // A message that is refused by its header may not be read to its end.
        let _ = futures_util::SinkExt::send(&mut peer.socket, message).await;
        let frame = peer.closed().await.expect("no close frame came");
        assert_eq!(u16::from(frame.code), code, "{} bytes", len + HEADER_LEN);
        assert!(frame.reason.contains("bytes"), "{}", frame.reason);
    }
}

#[tokio::test]
async fn a_limit_that_is_none_is_refused_with_the_reason() {
    let nodes = Nodes::new(LOW, HIGH).await;
    let outsider = Outsider::new(&nodes.world, "Own").await;
    let address = outsider.address_of(&nodes.server.actor_id()).await.unwrap();
    for garbage in ["many", "0", "99999999999999999999"] {
        let mut headers = outsider.headers();
        headers.push(("sec-websocket-protocol", EXTENSION.into()));
        headers.push(("x-actr-lite-max-record", garbage.into()));
        let Err((status, reason)) = dial(address, &headers).await else {
            panic!("{garbage} was accepted");
        };
        assert_eq!(status, 400);
        assert_eq!(
            reason,
            format!(
                "the header x-actr-lite-max-record is {garbage:?}: a record limit is a number of bytes from 1024 to 67108864"
            )
        );
    }
    // To a peer without the extension the header means nothing.
    let mut headers = outsider.headers();
    headers.push(("x-actr-lite-max-record", "many".into()));
    assert!(dial(address, &headers).await.is_ok());
}

#[tokio::test]
async fn what_a_peer_says_bounds_what_it_is_sent() {
    let mut nodes = Nodes::new(HIGH, HIGH).await;
    let outsider = Outsider::new(&nodes.world, "Own").await;
    let address = outsider.address_of(&nodes.server.actor_id()).await.unwrap();
    // A peer that says nothing takes what nodes take by default.
    for (said, limit) in [(Some("2048"), 2048), (None, 4 << 20)] {
        let mut headers = outsider.headers();
        headers.push(("sec-websocket-protocol", EXTENSION.into()));
        headers.extend(said.map(|said| ("x-actr-lite-max-record", said.into())));
        let mut peer = dial(address, &headers).await.unwrap();
        let request = peer.ask(Push::ROUTE, Vec::new()).await;
        peer.answer(&request).await;
        let ctx = within(nodes.contexts.recv()).await.unwrap();
        let mut sender = ctx.open_stream(&caller(&ctx), stream_id("bounded")).await.unwrap();
        let error = within(sender.send(vec![0; limit])).await.unwrap_err();
        assert!(
            matches!(error, SendError::TooLong { limit: named, .. } if named == limit),
            "{error:?}"
        );
    }
}

/// Answers one upgrade with this limit.
async fn answer_upgrade(listener: TcpListener, limit: &str) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let value = |name: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).unwrap().1
    };
    // The node says its own limit.
    assert_eq!(value("x-actr-lite-max-record"), HIGH.to_string());
    let accept = derive_accept_key(value("sec-websocket-key").as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\nsec-websocket-protocol: {EXTENSION}\r\nx-actr-lite-max-record: {limit}\r\n\r\n"
    );
    within(stream.write_all(answer.as_bytes())).await.unwrap();
    // Open until the node has closed it.
    let _ = within(stream.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn an_acceptor_with_an_invalid_limit_cannot_be_reached() {
    let nodes = Nodes::new(HIGH, HIGH).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outsider = Outsider::listening(&nodes.world, "Strange", Some(listener.local_addr().unwrap())).await;
    let answering = tokio::spawn(answer_upgrade(listener, "plenty"));
    let dest = Dest::actor(outsider.id().clone());
    let error = within(nodes.client.context().call(&dest, Ask::default()))
        .await
        .unwrap_err();
    assert!(matches!(error, ActrError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("x-actr-lite-max-record is \"plenty\"") && text.contains("from 1024 to 67108864"),
        "{text}"
    );
    within(answering).await.unwrap();
}
