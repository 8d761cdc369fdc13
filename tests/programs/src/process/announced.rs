//! What the programs say about themselves when they start.

use std::net::SocketAddr;

use anyhow::Context as _;

use crate::process::{Process, WAIT_TIMEOUT};

impl Process {
    /// The URL of the registry that it hosts.
    ///
    /// # Errors
    /// If it ends without having said it, or doesn't say it in time.
    pub fn try_registry_url(&self) -> anyhow::Result<String> {
        self.try_announced("registry listening on ")
    }

    /// The URL of the registry that it hosts.
    ///
    /// # Panics
    /// As [`Self::try_registry_url`] fails.
    #[track_caller]
    pub fn registry_url(&self) -> String {
        self.try_registry_url().unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The URL of the page that shows what it does.
    ///
    /// # Errors
    /// If it ends without having said it, or doesn't say it in time.
    pub fn try_page_url(&self) -> anyhow::Result<String> {
        self.try_announced("page at ")
    }

    /// Waits until a server says that it is ready; its actor id.
    ///
    /// # Errors
    /// If it ends without having said it, or doesn't say it in time.
    pub fn try_ready(&self) -> anyhow::Result<String> {
        self.try_announced("server ready as ")
    }

    /// Waits until a server says that it is ready; its actor id.
    ///
    /// # Panics
    /// As [`Self::try_ready`] fails.
    #[track_caller]
    pub fn ready(&self) -> String {
        self.try_ready().unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Where a server's data lane listens.
    ///
    /// # Panics
    /// If it doesn't say so.
    #[track_caller]
    pub fn data_lane(&self) -> SocketAddr {
        const BEFORE: &str = "data lane listening on ";
        let line = self.wait_for_line(BEFORE, WAIT_TIMEOUT);
        let address = line.split_once(BEFORE).map(|(_, rest)| rest.trim().parse());
        match address {
            Some(Ok(address)) => address,
            _ => panic!("no address in {line:?}"),
        }
    }

    /// The word behind this text in the first line that has it.
    fn try_announced(&self, before: &str) -> anyhow::Result<String> {
        let line = self
            .output
            .wait_for(before, WAIT_TIMEOUT)
            .with_context(|| self.name.clone())?
            .text;
        let word = line
            .split_once(before)
            .and_then(|(_, rest)| rest.split_whitespace().next());
        Ok(word
            .with_context(|| format!("nothing follows {before:?} in {line:?}"))?
            .to_owned())
    }
}
