//! `docs/new-service.md`, done word for word outside of the workspace, with the crates as they are published.
//!
//! - `page`: the files and commands of the page
//! - `packages`: the crates as they are published
//! - `project`: the folder in which somebody follows the page
//! - `own_service`: what comes of it
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod own_service;
mod packages;
mod page;
mod project;
