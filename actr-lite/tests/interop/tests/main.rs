//! What works between this workspace and the published actr software, 0.4.21. One file a promise.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod calls;
mod discovery;
mod messages;
mod mock_registry;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod own_webrtc_streams;
#[cfg(target_os = "linux")]
mod page_commands;
#[cfg(target_os = "linux")]
mod relayed_streams;
#[cfg(target_os = "linux")]
mod series;
#[cfg(target_os = "linux")]
mod webrtc_frames;
#[cfg(target_os = "linux")]
mod webrtc_streams;
