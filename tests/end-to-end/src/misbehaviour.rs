//! A peer that errs is noticed: what is missing, too much or out of order is counted, and a panic stays where it is.

use std::sync::mpsc;

use actr_lite::{DataStream, Dest, SendError, StreamEnd};
use harness::{
    Deployment, Finished, Summary, WAIT_TIMEOUT,
    peer::{self, server_type},
};
use protos::stream_server::RegisterStreamRequest;

/// Runs a client, which asks for three messages, with a server that sends what `frames` makes of the stream's id.
async fn client_with_server_that_sends(frames: fn(&str) -> Vec<DataStream>) -> Finished {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let _server = peer::server(&deployment, &url, move |request, ctx| async move {
        let caller = Dest::actor(ctx.caller_id().unwrap().clone());
        let sending = ctx.clone();
        ctx.spawn(async move {
            for frame in frames(&request.stream_id) {
                sending.send_stream(&caller, &frame).await.unwrap();
            }
        });
        Ok(peer::registered())
    })
    .await;
    deployment.client(&url, 3).args(["--json", "--timeout", "1s"]).run()
}

fn frame(stream_id: &str, sequence: u64, payload: &str) -> DataStream {
    DataStream::new(stream_id.parse().unwrap(), sequence, payload.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_out_of_order_are_never_handed_over() {
    let client =
        client_with_server_that_sends(|id| vec![frame(id, 1, "a"), frame(id, 3, "c"), frame(id, 2, "b")]).await;
    let summary = Summary::of(&client);
    assert_eq!(
        (summary.received, summary.missing, summary.out_of_order),
        (1, 2, 0),
        "{summary:?}"
    );
    client.assert_fails_with(&["frame 3 arrived instead of frame 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_a_gap_is_retried_and_fails_if_the_gap_stays() {
    let client =
        client_with_server_that_sends(|id| vec![frame(id, 1, "a"), frame(id, 2, "b"), frame(id, 4, "d")]).await;
    let summary = Summary::of(&client);
    assert_eq!((summary.received, summary.missing), (2, 1), "{summary:?}");
    assert!(
        summary.resumes >= 1 && summary.duplicates == 2 * summary.resumes,
        "{summary:?}"
    );
    client.assert_fails_with(&["frame 4 arrived instead of frame 3", "1 missing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_an_unknown_stream_are_counted_in_the_summary() {
    let client = client_with_server_that_sends(|id| {
        let mut frames = vec![frame("stranger", 1, "x"), frame("stranger", 2, "y")];
        frames.extend((1..=3).map(|sequence| frame(id, sequence, "abc")));
        frames
    })
    .await;
    let summary = Summary::of_success(&client, 3);
    assert_eq!(summary.bytes, 9);
    let object: serde_json::Value = serde_json::from_str(&client.stdout).unwrap();
    assert_eq!(object["unknown_frames"], 2, "{object}");
    let warnings = client
        .stderr
        .lines()
        .filter(|line| line.contains("WARN") && line.contains("stranger"));
    assert_eq!(warnings.count(), 1, "once for the stream: {}", client.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_arrive_up_to_the_record_limit_only() {
    const LARGE: usize = 200 * 1024;
    const TOO_LARGE: usize = 64 * 1024 * 1024;
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let (results, result) = mpsc::channel();
    let _server = peer::server(&deployment, &url, move |request, ctx| {
        let results = results.clone();
        async move {
            let caller = Dest::actor(ctx.caller_id().unwrap().clone());
            let stream_id = request.stream_id.parse().unwrap();
            let mut sender = ctx.open_stream(&caller, stream_id).await?;
            ctx.spawn(async move {
                results.send(sender.send(vec![0; TOO_LARGE]).await).unwrap();
                for _ in 0..3 {
                    sender.send(vec![0; LARGE]).await.unwrap();
                }
                sender.finish().await.unwrap();
            });
            Ok(peer::registered())
        }
    })
    .await;
    let client = deployment.client(&url, 3).arg("--json").run();
    let error = result.recv_timeout(WAIT_TIMEOUT).unwrap().unwrap_err();
    assert!(matches!(error, SendError::TooLong { .. }), "{error}");
    assert_eq!(Summary::of_success(&client, 3).bytes, 3 * LARGE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_its_server_drops_fails_with_the_reason() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let _server = peer::server(&deployment, &url, |request, ctx| async move {
        let caller = Dest::actor(ctx.caller_id().unwrap().clone());
        let mut sender = ctx.open_stream(&caller, request.stream_id.parse().unwrap()).await?;
        ctx.spawn(async move {
            sender.send("the only one").await.unwrap();
            sender.finish().await.unwrap();
        });
        Ok(peer::registered())
    })
    .await;
    let client = deployment.client(&url, 3).arg("--json").run();
    let summary = Summary::of(&client);
    assert_eq!((summary.received, summary.missing), (1, 2));
    client.assert_fails_with(&["1 of 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_panic_ends_its_stream_and_tells_the_sender() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "10ms"]);
    let caller = peer::caller(&deployment, &url).await;
    let ctx = caller.context();
    let dest = ctx.discover(&server_type()).await.unwrap();

    let mut broken = ctx
        .register_stream("broken12".parse().unwrap(), &dest, |frame| {
            assert!(frame.sequence < 3, "a frame that this callback panics on");
        })
        .unwrap();
    let request = RegisterStreamRequest {
        stream_id: "broken12".into(),
        message_count: 1_000_000,
    };
    assert!(ctx.call(&dest, request).await.unwrap().success);
    let end = broken.ended().await;
    assert!(
        matches!(&end, StreamEnd::Panicked(text) if text.as_str().contains("panics on")),
        "{end}"
    );
    let line = server.wait_for_line("stream broken12: ended after ", WAIT_TIMEOUT);
    assert!(line.contains(" frames: "), "{line}");

    // The same node receives other streams as before, over the same connection.
    let (frames, received) = mpsc::channel();
    let mut sound = ctx
        .register_stream("sound123".parse().unwrap(), &dest, move |frame| {
            let _ = frames.send(frame.sequence);
        })
        .unwrap();
    let request = RegisterStreamRequest {
        stream_id: "sound123".into(),
        message_count: 5,
    };
    assert!(ctx.call(&dest, request).await.unwrap().success);
    assert_eq!(sound.ended().await, StreamEnd::Finished { frames: 5 });
    assert_eq!(received.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_unregisters_stops_its_sender() {
    let deployment = Deployment::new();
    let (server, url) = deployment.start_server(&["--interval", "10ms"]);
    let caller = peer::caller(&deployment, &url).await;
    let ctx = caller.context();
    let dest = ctx.discover(&server_type()).await.unwrap();
    let mut subscription = ctx.subscribe("enough12".parse().unwrap(), &dest).unwrap();
    let request = RegisterStreamRequest {
        stream_id: "enough12".into(),
        message_count: 1_000_000,
    };
    assert!(ctx.call(&dest, request).await.unwrap().success);
    for sequence in 1..=3 {
        assert_eq!(subscription.next().await.unwrap().sequence, sequence);
    }
    drop(subscription);
    let line = server.wait_for_line("stream enough12: ended after ", WAIT_TIMEOUT);
    assert!(line.contains("cancel"), "{line}");
}
