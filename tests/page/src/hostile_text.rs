//! What a peer says is text on the page.

use harness::{
    Deployment,
    peer::{self, server_type},
};
use protos::stream_server::RegisterStreamRequest;

use crate::browser::Browser;

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
    let _stream = stream.unwrap();
    caller.context().call(&server, request).await.unwrap();
    page.wait_for_text("#streams tbody tr", &[MARKUP]).await;
    assert_eq!(page.run("return document.querySelectorAll('main img').length").await, 0);
    assert_ne!(page.run("return document.title").await, "fallen");
    page.close().await;
}
