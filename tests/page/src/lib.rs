//! The page that the programs serve, as a browser shows it.
//!
//! The tests are run on request, since they need chromium and chromedriver: `cargo test -p page -- --ignored`.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod browser;
mod hostile_text;
mod layout;
mod life;
mod many_rows;
mod readers;
