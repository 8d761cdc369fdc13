//! What is answered, whatever the parts of a program are.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::sync::{
    Arc, Weak,
    atomic::{AtomicBool, Ordering},
};

use actr_lite_admin::{
    admin::Admin,
    counts::RegistryCounts,
    http_lifetime::HttpLifetime,
    paging::Page,
    status::{RegistryStatus, RegistryTotals, Table},
    view::RegistryView,
};
use http_body_util::BodyExt as _;
use hyper::{Request, StatusCode};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
struct Registry {
    stops: AtomicBool,
}

impl RegistryView for Registry {
    fn obstacles(&self) -> Vec<String> {
        let stops = self.stops.load(Ordering::Relaxed);
        stops.then(|| "it stops".to_owned()).into_iter().collect()
    }

    fn status(&self, _: Page) -> RegistryStatus {
        RegistryStatus {
            address: "127.0.0.1:1".into(),
            totals: RegistryTotals::default(),
            nodes: Table {
                count: 0,
                rows: [].into(),
            },
        }
    }

    fn counts(&self) -> RegistryCounts {
        RegistryCounts::default()
    }
}

fn with_registry() -> (Arc<Admin>, Arc<Registry>) {
    let (admin, registry) = (Admin::new(None), Arc::<Registry>::default());
    let view: Weak<dyn RegistryView> = Arc::downgrade(&(Arc::clone(&registry) as Arc<dyn RegistryView>));
    admin.show_registry(view);
    (admin, registry)
}

async fn get(admin: &Arc<Admin>, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(()).unwrap();
    let response = admin.respond(&request, &HttpLifetime::default(), &CancellationToken::new());
    let (head, body) = response.unwrap().into_parts();
    assert_eq!(head.headers["cache-control"], "no-store");
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_program_is_ready_when_each_of_its_parts_is() {
    let (admin, registry) = with_registry();
    assert_eq!(get(&admin, "/readyz").await, (StatusCode::OK, "ready\n".into()));
    admin.await_node();
    let starting = (StatusCode::SERVICE_UNAVAILABLE, "the node is starting\n".into());
    assert_eq!(get(&admin, "/readyz").await, starting);
    registry.stops.store(true, Ordering::Relaxed);
    assert_eq!(get(&admin, "/readyz").await.1, "it stops\nthe node is starting\n");
    drop(registry);
    assert_eq!(
        get(&admin, "/readyz").await.1,
        "the registry has stopped\nthe node is starting\n"
    );
    assert_eq!(get(&admin, "/livez").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_part_that_has_stopped_is_not_shown() {
    let (admin, registry) = with_registry();
    let (_, status) = get(&admin, "/api/v1/status").await;
    assert!(
        status.contains("\"address\":\"127.0.0.1:1\"") && status.contains("\"node\":null"),
        "{status}"
    );
    assert!(
        get(&admin, "/metrics")
            .await
            .1
            .contains("actr_registry_connections 0\n")
    );
    drop(registry);
    assert!(get(&admin, "/api/v1/status").await.1.contains("\"registry\":null"));
    let (_, metrics) = get(&admin, "/metrics").await;
    assert!(
        metrics.contains("actr_ready 0\n") && !metrics.contains("actr_registry_"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_page_that_is_none_is_refused_in_words() {
    let (admin, _registry) = with_registry();
    for path in ["/api/v1/status?page=0", "/api/v1/events?page=x"] {
        let (status, text) = get(&admin, path).await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::BAD_REQUEST, "page has to be a number from 1\n")
        );
    }
    let request = Request::get("/api/v2/status").body(()).unwrap();
    let response = admin.respond(&request, &HttpLifetime::default(), &CancellationToken::new());
    assert!(response.is_none(), "another path is none of its own");
}
