//! A server that knows no extension, as official nodes are, can be resumed from too.

use std::{net::SocketAddr, ops::RangeInclusive, time::Duration};

use actr_lite_wire::{
    envelope::Envelope,
    record::{self, HEADER_LEN, RecordKind},
};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::{
    harness::deadline::{until, within},
    raw_peer::{outsider::Outsider, wire_bytes},
    stream_server::{
        request::{FRAMES, STREAM},
        scene::Scene,
        server::SERVER,
    },
};

/// A server without the extension, made by hand.
struct OfficialServer(WebSocketStream<TcpStream>);

impl OfficialServer {
    async fn accept(listener: &TcpListener) -> Self {
        let (socket, _) = within(listener.accept()).await.unwrap();
        Self(within(tokio_tungstenite::accept_async(socket)).await.unwrap())
    }

    async fn send(&mut self, kind: RecordKind, body: &[u8]) {
        let message = Message::binary(wire_bytes::record(kind, body));
        within(self.0.send(message)).await.unwrap();
    }

    /// Reads to the end of the connection; the reason that the close frame gives.
    async fn closed(mut self) -> String {
        let end = within(async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Close(Some(frame)) = message {
                    return frame.reason.to_string();
                }
            }
            String::new()
        });
        end.await
    }

    /// Answers the next request; returns its metadata.
    async fn answer(&mut self) -> Vec<(String, String)> {
        loop {
            let Message::Binary(bytes) = within(self.0.next()).await.unwrap().unwrap() else {
                continue;
            };
            let span = record::span_at(&bytes, 0).unwrap();
            assert_eq!(span.kind, RecordKind::RpcReliable);
            let Envelope::Request {
                request_id,
                route_key,
                metadata,
                ..
            } = Envelope::decode(bytes.slice(HEADER_LEN..)).unwrap()
            else {
                panic!("not a request");
            };
            let result = Ok(Default::default());
            let response = Envelope::Response {
                request_id,
                route_key,
                result,
            };
            self.send(RecordKind::RpcReliable, &response.encode()).await;
            return metadata;
        }
    }

    async fn send_frames(&mut self, numbers: RangeInclusive<u64>) {
        for number in numbers {
            let frame = wire_bytes::frame(STREAM, number, number.to_string().as_bytes());
            self.send(RecordKind::StreamReliable, &frame).await;
        }
    }
}

/// A registered server at this address, which is still to accept; a client of it.
async fn registered(listener: &TcpListener) -> (Scene, Outsider) {
    let scene = Scene::without_servers().await;
    let outsider = Outsider::listening(&scene.world, SERVER, Some(listener.local_addr().unwrap())).await;
    (scene, outsider)
}

async fn bind(address: SocketAddr) -> TcpListener {
    until(|| async { TcpListener::bind(address).await.ok() }).await
}

fn resumes_after(frame: u64) -> [(String, String); 1] {
    [("stream-resume-after".to_owned(), frame.to_string())]
}

#[tokio::test]
async fn without_the_extension_a_stream_resumes_and_completes() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await;
    let (scene, outsider) = registered(&listener).await;
    let serving = tokio::spawn(async move {
        let mut server = OfficialServer::accept(&listener).await;
        assert!(server.answer().await.is_empty());
        server.send_frames(1..=5).await;
        drop(server);
        let mut server = OfficialServer::accept(&listener).await;
        assert_eq!(server.answer().await, resumes_after(5));
        server.send_frames(1..=FRAMES).await;
        server
    });
    let progress = scene.receive().await.comes_whole().await;
    let _server = within(serving).await.unwrap();
    assert_eq!((progress.resumes, progress.duplicates), (1, 5));
    assert_eq!(progress.servers, [outsider.id().clone()]);
}

#[tokio::test]
async fn without_cancel_the_connection_is_closed_before_a_retry() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await;
    let (scene, _outsider) = registered(&listener).await;
    let serving = tokio::spawn(async move {
        let mut first = OfficialServer::accept(&listener).await;
        first.answer().await;
        first.send_frames(1..=3).await;
        first.send_frames(5..=6).await;
        assert!(first.closed().await.contains("asked for again"));
        let mut second = OfficialServer::accept(&listener).await;
        assert_eq!(second.answer().await, resumes_after(3));
        second.send_frames(4..=FRAMES).await;
        second
    });
    scene.receive().await.comes_whole().await;
    let _second = within(serving).await.unwrap();
}

#[tokio::test]
async fn a_known_server_is_dialled_again_without_the_registry() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await;
    let address = listener.local_addr().unwrap();
    let (scene, _outsider) = registered(&listener).await;
    let first = tokio::spawn(async move {
        let mut server = OfficialServer::accept(&listener).await;
        server.answer().await;
        server.send_frames(1..=5).await;
        (server, listener)
    });
    let reception = scene.receive().await;
    reception.reaches(5).await;
    within(scene.world.registry.shutdown()).await;
    // Connection and listener are gone at once, and nobody can say whether there is another address.
    drop(within(first).await.unwrap());
    // Long enough for some tries to fail.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let listener = bind(address).await;
    let mut server = OfficialServer::accept(&listener).await;
    server.answer().await;
    server.send_frames(6..=FRAMES).await;
    reception.comes_whole().await;
}
