//! Who may read what the page shows, and how many at a time.

use std::fs;

use harness::Deployment;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::browser::{Browser, authority};

/// How many may read events at a time.
const EVENT_STREAMS: usize = 8;

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn with_a_token_the_page_is_locked_until_it_is_typed() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let deployment = Deployment::new();
    let file = deployment.path("token");
    fs::write(&file, TOKEN).unwrap();
    let registry = deployment.registry(0).arg("--admin-token-file").arg(file).spawn();
    let page = Browser::open(&registry.registry_url(), 1280, 1000).await;
    for (typed, shown) in [("another one", "locked"), (TOKEN, "live")] {
        page.wait_for_text("#link", &["locked"]).await;
        assert_eq!(page.texts("#nodes h2").await, [""], "hidden");
        page.type_into("#token", &format!("{typed}\n")).await;
        page.wait_for_text("#link", &[shown]).await;
    }
    page.wait_for_text("#nodes .empty", &["No node is registered"]).await;
    let traces =
        "return [location.href, document.cookie, JSON.stringify(localStorage), document.body.innerText].join()";
    let traces = page.run(traces).await.to_string();
    assert!(!traces.contains(TOKEN), "{traces}");
    page.close().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn while_eight_others_read_the_page_asks_instead() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let mut readers = Vec::new();
    for _ in 0..EVENT_STREAMS {
        readers.push(read_events(authority(&url)).await);
    }
    let page = Browser::open(&url, 1280, 1000).await;
    page.wait_for_text("#link", &["every few seconds"]).await;
    let server = deployment.server_at(&url).spawn();
    page.wait_for_text("#nodes tbody tr", &["StreamEchoServer"]).await;
    drop(readers);
    page.wait_for_text("#link", &["live"]).await;
    page.close().await;
    drop(server);
}

/// A reader of events that has its place.
async fn read_events(registry: &str) -> TcpStream {
    let mut connection = TcpStream::connect(registry).await.unwrap();
    let request = format!("GET /api/v1/events HTTP/1.1\r\nhost: {registry}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    connection.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    connection
}
