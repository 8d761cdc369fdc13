//! `--timeout` is one budget for everything up to the next message.

use actr_lite::{ActrError, DataStream, Dest};
use harness::{Deployment, Summary, WAIT_TIMEOUT, peer};

/// The seconds that the client says it goes on waiting at most.
fn seconds_left(line: &str) -> u64 {
    let (_, after) = line.split_once("retrying for up to ").unwrap();
    after.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn waiting_for_the_registry_is_not_waited_again_for_a_server() {
    let deployment = Deployment::new();
    let port = harness::unused_port();
    let url = harness::registry_url(port);
    let client = deployment.client(&url, 10).args(["--timeout", "10s", "-v"]).spawn();
    client.wait_for_line(&url, WAIT_TIMEOUT);
    // Part of the time goes by without a registry.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let _registry = deployment.registry(port).spawn();
    let line = client.wait_for_line("retrying for up to ", WAIT_TIMEOUT);
    assert!(seconds_left(&line) <= 8, "{line}");
    client.finish().assert_fails_with(&["no server of type"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_agrees_and_sends_nothing_keeps_nobody() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let silent = peer::server(&deployment, &url, |request, ctx| async move {
        let stream = ctx.open_stream_to_caller(request.stream_id.parse()?).await?;
        ctx.spawn(async move { drop(stream.closed().await) });
        Ok::<_, ActrError>(peer::registered())
    })
    .await;
    let client = deployment.client(&url, 10).args(["--timeout", "1s"]).run();
    client.assert_fails_with(&["agreed, and sent no frame within", &silent.actor_id().to_string()]);

    // With a server beside it the stream is sent by that one.
    let server = deployment.server_at(&url).spawn();
    let id = server.ready();
    let client = deployment.client(&url, 10).args(["--timeout", "10s", "--json"]).run();
    assert_eq!(Summary::of_success(&client, 10).servers, [id]);
}

#[test]
fn a_stream_that_flows_may_be_slower_than_the_timeout() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&["--interval", "3s"]);
    let client = deployment.client(&url, 2).args(["--timeout", "2s", "--json"]).run();
    assert_eq!(Summary::of_success(&client, 2).resumes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_idle_timeout_a_server_that_pauses_is_left() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let pausing = peer::server(&deployment, &url, |request, ctx| async move {
        let caller = Dest::actor(
            ctx.caller_id()
                .ok_or_else(|| ActrError::unavailable("no caller"))?
                .clone(),
        );
        let sending = ctx.clone();
        ctx.spawn(async move {
            let first = DataStream::new(request.stream_id.parse()?, 1, "[server] Stream message 1 for a test");
            sending.send_stream(&caller, &first).await?;
            std::future::pending::<Result<(), ActrError>>().await
        });
        Ok::<_, ActrError>(peer::registered())
    })
    .await;
    let client = deployment
        .client(&url, 10)
        .args(["--idle-timeout", "1s", "--json", "-v"]);
    let client = client.spawn();
    client.wait_for_line("Stream message 1 for", WAIT_TIMEOUT);
    let server = deployment.server_at(&url).spawn();
    let id = server.ready();
    let summary = Summary::of_success(&client.finish(), 10);
    assert_eq!(summary.servers, [pausing.actor_id().to_string(), id]);
}
