use std::{path::Path, time::Duration};

use fantoccini::{Client, ClientBuilder, Locator, error::CmdError};
use hyper_util::client::legacy::connect::HttpConnector;
use programs::{Launch, Process, WAIT_TIMEOUT};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// What chromedriver says when it listens.
const STARTED: &str = "started successfully on port ";

/// How often the page is looked at while a test waits for a change of it.
const LOOK: Duration = Duration::from_millis(50);

/// The `HOST:PORT` of a registry's URL.
pub(crate) fn authority(registry_url: &str) -> &str {
    registry_url.trim_start_matches("ws://").split('/').next().unwrap()
}

/// A browser with one page open.
pub(crate) struct Browser {
    client: Client,
    _driver: Process,
}

impl Browser {
    /// The page of the registry at this URL, in a window of this size.
    pub(crate) async fn open(registry_url: &str, width: u32, height: u32) -> Self {
        let driver = Launch::new("chromedriver", Path::new("chromedriver"))
            .arg("--port=0")
            .spawn();
        let line = driver.wait_for_line(STARTED, WAIT_TIMEOUT);
        let (_, port) = line.split_once(STARTED).unwrap();
        let options = json!({
            "args": [
                "--headless=new",
                // The sandbox needs rights that a container may not give. The page is the project's own.
                "--no-sandbox",
                "--disable-dev-shm-usage",
                // A browser whose driver is killed ends with the pipe.
                "--remote-debugging-pipe",
            ],
            "mobileEmulation": { "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1 } },
        });
        let capabilities = json!({ "goog:chromeOptions": options }).as_object().unwrap().clone();
        let webdriver = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&webdriver)
            .await
            .unwrap();
        client
            .goto(&format!("http://{}/", authority(registry_url)))
            .await
            .unwrap();
        Self {
            client,
            _driver: driver,
        }
    }

    /// The texts of the elements that a CSS selector finds.
    pub(crate) async fn texts(&self, selector: &str) -> Vec<String> {
        self.try_texts(selector).await.unwrap()
    }

    async fn try_texts(&self, selector: &str) -> Result<Vec<String>, CmdError> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(selector)).await? {
            match element.text().await {
                Ok(text) => texts.push(text),
                // The page has changed meanwhile.
                Err(error) if error.is_stale_element_reference() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(texts)
    }

    /// Waits until the texts of what the selector finds are as wanted, and gives them.
    pub(crate) async fn wait_for(&self, selector: &str, is_wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
        let end = Instant::now() + WAIT_TIMEOUT;
        loop {
            let texts = self.texts(selector).await;
            if is_wanted(&texts) {
                return texts;
            }
            assert!(Instant::now() < end, "{selector} still shows {texts:?}");
            sleep(LOOK).await;
        }
    }

    /// Waits until one of what the selector finds has all these parts, and gives its text.
    pub(crate) async fn wait_for_text(&self, selector: &str, parts: &[&str]) -> String {
        let has_all = |text: &&String| parts.iter().all(|part| text.contains(part));
        let texts = self
            .wait_for(selector, |texts| texts.iter().any(|text| has_all(&text)))
            .await;
        texts.iter().find(has_all).unwrap().clone()
    }

    /// What a function's body returns that runs in the page.
    pub(crate) async fn run(&self, body: &str) -> Value {
        self.run_with(body, Vec::new()).await
    }

    /// What a function's body returns that runs in the page, and gets these `arguments`.
    pub(crate) async fn run_with(&self, body: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(body, arguments).await.unwrap()
    }

    /// Clicks what a CSS selector finds.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        element.click().await.unwrap();
    }

    /// Types this into what a CSS selector finds.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.client.find(Locator::Css(selector)).await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// Ends the browser.
    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }
}
