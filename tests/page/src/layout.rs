//! The page can be used on any screen, and without a mouse.

use harness::Deployment;

use crate::browser::Browser;

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn a_phone_shows_all_without_scrolling_sideways() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&["--interval", "1h"]);
    let client = deployment.client(&url, 2).spawn();
    let page = Browser::open(&url, 360, 800).await;
    page.wait_for_text("#streams tbody tr", &["sending"]).await;
    assert_eq!(page.run("return innerWidth").await, 360);
    assert_eq!(page.run("return document.documentElement.scrollWidth").await, 360);
    page.close().await;
    drop(client);
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver"]
async fn tables_keep_their_meaning_for_screen_readers() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    for width in [360, 1280] {
        let page = Browser::open(&url, width, 800).await;
        page.wait_for_text("#nodes tbody tr", &["StreamEchoServer"]).await;
        let named = "return [...document.querySelectorAll('table')].every(table => \
             document.getElementById(table.getAttribute('aria-labelledby')).textContent && table.getAttribute('role') === 'table')";
        assert_eq!(page.run(named).await, true);
        let cells = "return [...document.querySelectorAll('tbody td')].every(cell => cell.dataset.label && cell.getAttribute('role') === 'cell')";
        assert_eq!(page.run(cells).await, true);
        page.close().await;
    }
}
