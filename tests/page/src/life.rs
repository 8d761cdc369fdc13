//! What a program does is on its page while it does it.

use harness::Deployment;
use programs::Signal;

use crate::browser::Browser;

/// How many frames the only stream has sent.
const FRAMES: &str = "#streams tbody td:nth-child(4)";

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn a_stream_is_shown_from_its_start_to_its_end() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "100ms"]);
    let page = Browser::open(&url, 1280, 1000).await;
    page.wait_for_text("#link", &["live"]).await;
    page.wait_for_text("#readiness", &["ready"]).await;
    page.wait_for_text("#streams .empty", &["No stream is open", "cargo run -p client"])
        .await;
    let client = deployment.client(&url, 60).spawn();
    page.wait_for_text("#streams tbody tr", &["sending"]).await;
    page.wait_for_text("#nodes tbody tr", &["StreamEchoClient"]).await;
    let frames = |texts: &[String]| texts.first()?.strip_suffix(" of 60")?.parse::<u64>().ok();
    let shown = page.wait_for(FRAMES, |texts| frames(texts) > Some(0)).await;
    page.wait_for(FRAMES, |texts| frames(texts) > frames(&shown)).await;
    client.finish();
    page.wait_for_text("#events li", &["stream ended", "60 frames"]).await;
    page.wait_for("#streams tbody tr", <[String]>::is_empty).await;
    page.wait_for_text("#events li", &["left", "StreamEchoClient"]).await;
    server.signal(Signal::KILL);
    page.wait_for_text("#link", &["disconnected"]).await;
    page.wait_for_text("#notice", &["start it"]).await;
    page.close().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn a_killed_server_disappears() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let page = Browser::open(&url, 1280, 1000).await;
    page.wait_for_text("#nodes .empty", &["No node is registered"]).await;
    let server = deployment.server_at(&url).spawn();
    server.ready();
    page.wait_for_text("#nodes tbody tr", &["StreamEchoServer", "available"])
        .await;
    server.signal(Signal::KILL);
    page.wait_for("#nodes tbody tr", <[String]>::is_empty).await;
    page.wait_for_text("#events li", &["lease expired", "StreamEchoServer"])
        .await;
    page.close().await;
}
