//! What a peer writes reaches a log or a terminal as text, whatever is in it.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use actr_lite::{ActrError, DataStream, Dest};
use harness::{Deployment, peer, registry_url};
use protos::stream_server::RegisterStreamResponse;

/// Sets a terminal's title, clears the line, and forges another.
const HOSTILE: &str = "no\x1b]0;title\x07\r\x1b[2K\nerror: all is well";

/// An address at which every request is refused with a hostile text.
fn refuse_everything() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // The request's head is short: one read has it.
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n", HOSTILE.len());
            let _ = stream.write_all(format!("{head}{HOSTILE}").as_bytes());
        }
    });
    port
}

#[track_caller]
fn assert_harmless(stderr: &str) {
    assert!(!stderr.contains(['\x1b', '\x07', '\r']), "{stderr:?}");
    assert!(!stderr.lines().any(|line| line == "error: all is well"), "{stderr:?}");
    assert!(stderr.contains("all is well"), "it is shown: {stderr:?}");
}

#[test]
fn a_servers_refusal_steers_no_terminal() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let advertised = format!("ws://127.0.0.1:{}", refuse_everything());
    let server = deployment.server_at(&url).advertised(advertised).spawn();
    server.ready();
    let client = deployment.client(&url, 3).args(["-v", "--timeout", "1s"]).run();
    assert_eq!(client.code(), Some(1));
    assert_harmless(&client.stderr);
}

#[test]
fn a_registrys_refusal_steers_no_terminal() {
    let deployment = Deployment::new();
    let url = registry_url(refuse_everything());
    let client = deployment.client(&url, 3).args(["-v", "--timeout", "1s"]).run();
    assert_eq!(client.code(), Some(1));
    assert_harmless(&client.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_answer_steers_no_terminal() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let _server = peer::server(&deployment, &url, |_, _| async {
        let message = HOSTILE.into();
        Ok::<_, ActrError>(RegisterStreamResponse {
            success: false,
            message,
        })
    })
    .await;
    let client = deployment.client(&url, 3).args(["-v", "--timeout", "1s"]).run();
    assert_eq!(client.code(), Some(1));
    assert_harmless(&client.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_stream_steers_no_terminal() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let _server = peer::server(&deployment, &url, |request, ctx| async move {
        let caller = Dest::actor(ctx.caller_id().unwrap().clone());
        let sending = ctx.clone();
        ctx.spawn(async move {
            let frame = DataStream::new(request.stream_id.parse().unwrap(), 1, HOSTILE);
            sending.send_stream(&caller, &frame).await.unwrap();
        });
        Ok(peer::registered())
    })
    .await;
    let client = deployment.client(&url, 1).args(["-v", "--timeout", "1s"]).run();
    assert_harmless(&client.stderr);
}
