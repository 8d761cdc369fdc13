//! The shipped programs work with the published mock registry in the place of their own.

use actr_mock_actrix::MockActrixServer;
use harness::{Deployment, Summary};

#[tokio::test(flavor = "multi_thread")]
async fn streams_ten_thousand_frames_with_the_published_registry() {
    let deployment = Deployment::new();
    let registry = MockActrixServer::start().await.unwrap();
    let url = registry.ws_url();
    let server = deployment.server_at(&url).spawn();
    let server_id = server.ready();
    let client = deployment.client(&url, 10_000).arg("--json").run();
    let summary = Summary::of_success(&client, 10_000);
    assert_eq!(summary.bytes, summary.bytes_of_all());
    assert_eq!((summary.servers, summary.resumes), (vec![server_id], 0));
    // Both came by way of it, and not by another that happens to listen.
    assert!(registry.connection_count() >= 2);
}
