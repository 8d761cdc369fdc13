//! The page stays small, and leads everywhere, however much there is to show.

use std::{collections::BTreeSet, sync::Arc};

use harness::{
    Deployment,
    peer::{self, server_type},
};
use protos::stream_server::RegisterStreamRequest;
use serde_json::json;
use tokio::task::JoinSet;

use crate::browser::Browser;

/// How many rows there are to show.
const ROWS: usize = 1000;

/// How many rows of them a page has.
const ROWS_OF_A_PAGE: usize = 100;

/// Nodes that start at a time: each has to sign, and others have the processors too.
const STARTING: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver"]
async fn a_thousand_nodes_are_shown_on_ten_pages() {
    let deployment = Arc::new(Deployment::new());
    let limit = (ROWS + 100).to_string();
    let registry = deployment.registry(0).args(["--max-connections", &limit]).spawn();
    let url = registry.registry_url();
    let page = Browser::open(&url, 1280, 1000).await;
    watch_rows(&page, "nodes").await;
    let (mut nodes, mut starting) = (Vec::new(), JoinSet::new());
    while nodes.len() < ROWS {
        while starting.len() < STARTING && nodes.len() + starting.len() < ROWS {
            let (url, deployment) = (url.clone(), Arc::clone(&deployment));
            starting.spawn(async move { peer::caller(&deployment, &url).await });
        }
        nodes.push(starting.join_next().await.unwrap().unwrap());
    }
    page.wait_for_text("#totals li", &["Nodes", "1,000"]).await;
    let shown = ids_on_all_pages(&page, "nodes", 2).await;
    let ids: BTreeSet<_> = nodes.iter().map(|node| node.actor_id().to_string()).collect();
    assert_eq!(shown, ids);
    // Faster than the answers, and further than there are pages.
    page.run("for (let clicks = 0; clicks < 15; clicks += 1) newer.click()")
        .await;
    page.wait_for_text("#page-number", &["Page 1 of 10"]).await;
    page.wait_for_text("#link", &["live"]).await;
    assert_eq!(most_rows(&page).await, ROWS_OF_A_PAGE);
    page.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver"]
async fn a_thousand_streams_are_shown_on_ten_pages() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&["--interval", "1s"]);
    let page = Browser::open(&url, 1280, 1000).await;
    watch_rows(&page, "streams").await;
    let caller = peer::caller(&deployment, &url).await;
    let ctx = caller.context();
    let server = ctx.discover(&server_type()).await.unwrap();
    let ids: BTreeSet<_> = (0..ROWS).map(|number| format!("stream-{number}")).collect();
    let mut streams = Vec::new();
    for id in &ids {
        streams.push(ctx.register_stream(id.parse().unwrap(), &server, |_| ()).unwrap());
        let request = RegisterStreamRequest {
            stream_id: id.clone(),
            message_count: 1_000_000,
        };
        ctx.call(&server, request).await.unwrap();
    }
    page.wait_for_text("#totals li", &["Streams", "1,000"]).await;
    page.wait_for_text("#streams tbody tr:first-child", &["of 1,000,000"])
        .await;
    assert_eq!(ids_on_all_pages(&page, "streams", 1).await, ids);
    page.wait_for_text("#nodes .empty", &["on other pages"]).await;
    // All of them end at once, on the last page.
    drop(streams);
    page.wait_for_text("#streams .empty", &["No stream is open"]).await;
    assert_eq!(most_rows(&page).await, ROWS_OF_A_PAGE);
    page.close().await;
}

/// Notes from now on how many rows this table has at most.
async fn watch_rows(page: &Browser, table: &str) {
    let script = "window.mostRows = 0; const table = document.getElementById(arguments[0]); \
         const count = () => { mostRows = Math.max(mostRows, table.querySelectorAll('tbody tr').length); }; \
         new MutationObserver(count).observe(table, { subtree: true, childList: true });";
    page.run_with(script, vec![json!(table)]).await;
}

async fn most_rows(page: &Browser) -> usize {
    let most = page.run("return mostRows").await.as_u64().unwrap();
    most.try_into().unwrap()
}

/// Goes from the first page to the last, and gives the texts of this column. Each page has all the rows that it may have.
async fn ids_on_all_pages(page: &Browser, table: &str, column: usize) -> BTreeSet<String> {
    let pages = ROWS / ROWS_OF_A_PAGE;
    let script = "const rows = document.querySelectorAll(`#${arguments[0]} tbody tr`); \
         return [...rows].map(row => row.cells[arguments[1] - 1].textContent)";
    let mut ids = BTreeSet::new();
    for number in 1..=pages {
        page.wait_for_text("#page-number", &[&format!("Page {number} of {pages}")])
            .await;
        page.wait_for_text(&format!("#{table} h2 .count"), &["100 of 1,000"])
            .await;
        let shown = page.run_with(script, vec![json!(table), json!(column)]).await;
        let shown: Vec<String> = serde_json::from_value(shown).unwrap();
        assert_eq!(shown.len(), ROWS_OF_A_PAGE, "page {number}");
        ids.extend(shown);
        let ends = "return [newer.disabled, older.disabled]";
        assert_eq!(page.run(ends).await, json!([number == 1, number == pages]));
        if number < pages {
            page.click("#older").await;
        }
    }
    ids
}
