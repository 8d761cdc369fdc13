//! What a peer says is text on the page, and markup that got in all the same would run nothing.

use actr_lite_wire::proto::{ActrType, Realm, RegisterRequest};
use harness::{
    Deployment,
    peer::{self, server_type},
};
use prost::Message as _;
use protos::stream_server::RegisterStreamRequest;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::browser::{Browser, authority};

const MARKUP: &str = "<img src=x onerror=document.title='fallen'>";

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn a_peers_name_with_markup_stays_text() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&["--interval", "1h"]);
    let page = Browser::open(&url, 1280, 1000).await;
    let caller = peer::caller(&deployment, &url).await;
    let request = RegisterStreamRequest {
        stream_id: MARKUP.into(),
        message_count: 2,
    };
    let server = caller.context().discover(&server_type()).await.unwrap();
    let stream = caller
        .context()
        .register_stream(MARKUP.parse().unwrap(), &server, |_| ());
    let stream = stream.unwrap();
    caller.context().call(&server, request).await.unwrap();
    page.wait_for_text("#streams tbody tr", &[MARKUP]).await;
    drop(stream);
    page.wait_for_text("#events li", &["stream ended", MARKUP]).await;
    // Of a stranger too, who is refused.
    register_as(authority(&url), MARKUP).await;
    page.wait_for_text("#events li", &["registration refused", MARKUP])
        .await;
    assert_eq!(page.run("return document.querySelectorAll('main img').length").await, 0);
    assert_ne!(page.run("return document.title").await, "fallen");
    page.close().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn markup_in_the_page_would_run_nothing() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let page = Browser::open(&url, 1280, 1000).await;
    page.wait_for_text("#link", &["live"]).await;
    let breach = "const breaches = document.createElement('p'); breaches.id = 'breaches'; document.body.append(breaches); \
         addEventListener('securitypolicyviolation', event => breaches.append(event.effectiveDirective, ' ')); \
         const script = document.createElement('script'); script.textContent = \"document.title = 'fallen'\"; \
         const frame = document.createElement('iframe'); frame.src = '/'; \
         const main = document.querySelector('main'); main.insertAdjacentHTML('beforeend', arguments[0]); main.append(script, frame);";
    page.run_with(breach, vec![json!(MARKUP)]).await;
    for directive in ["script-src-attr", "script-src-elem", "frame-src"] {
        page.wait_for_text("#breaches", &[directive]).await;
    }
    assert_ne!(page.run("return document.title").await, "fallen");
    let policy = "return fetch('/').then(answer => answer.headers.get('content-security-policy'))";
    let policy = page.run(policy).await.to_string();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    page.close().await;
}

/// Asks a registry for a type that there can't be.
async fn register_as(registry: &str, name: &str) {
    let request = RegisterRequest {
        actr_type: ActrType {
            manufacturer: "acme".into(),
            name: name.into(),
            version: "1.0.0".into(),
        },
        realm: Realm { realm_id: 1 },
        ..RegisterRequest::default()
    };
    let body = request.encode_to_vec();
    let head = format!(
        "POST /ais/register HTTP/1.1\r\nhost: {registry}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = TcpStream::connect(registry).await.unwrap();
    connection.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    // Who goes before the answer is not heard.
    let mut status = [0; 12];
    connection.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}
