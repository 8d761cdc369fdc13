use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::interval;

use crate::local_stream_service::MAX_LOGGED;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Shows a bar on a terminal where single messages are not logged; otherwise waits for ever.
///
/// Dropping it removes the bar.
pub(crate) async fn show(received: impl Fn() -> u64, expected: u64) {
    if expected <= MAX_LOGGED || !io::stderr().is_terminal() {
        return std::future::pending().await;
    }
    let bar = Bar(ProgressBar::with_draw_target(
        Some(expected),
        ProgressDrawTarget::stderr(),
    ));
    let template = "{wide_bar} {human_pos}/{human_len} messages, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.0.set_style(style);
    }
    let mut tick = interval(TICK);
    loop {
        tick.tick().await;
        bar.0.set_position(received());
    }
}

struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
