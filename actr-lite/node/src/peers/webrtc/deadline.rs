use std::future::pending;

use tokio::time::{Instant, sleep_until};

/// Completes then, or never.
pub(super) async fn at(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}
