//! A progress bar for programs whose logs go through `actr-lite-terminal`.

use std::{
    fmt, io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_terminal::StatusLine;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use tokio::time::interval;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// The layout of the bar.
const TEMPLATE: &str = "{wide_bar} {human_pos}/{human_len} {msg}, {rate}/s, {eta} left";

/// Shows on a terminal how many of the `expected` `things`, such as messages, are `done`; elsewhere, and with `-q`, nothing
/// is shown. Never returns.
///
/// # Cancel safety
/// Dropping it removes the bar.
pub async fn show(done: impl Fn() -> u64, expected: u64, things: &'static str) {
    let Some(line) = StatusLine::open() else {
        return std::future::pending().await;
    };
    let target = ProgressDrawTarget::term_like(Box::new(Screen::new(line)));
    let bar = Bar(ProgressBar::with_draw_target(Some(expected), target));
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.0.set_style(style.with_key("rate", write_rate));
    }
    bar.0.set_message(things);
    let mut tick = interval(TICK);
    loop {
        tick.tick().await;
        bar.0.set_position(done());
    }
}

/// How many a second; nobody reads a fraction of one.
fn write_rate(state: &ProgressState, to: &mut dyn fmt::Write) {
    let rate = state.per_sec().round() as u64;
    // indicatif's formatter has no way to return an error.
    let _ = write!(to, "{}", HumanCount(rate));
}

struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The terminal as the bar sees it: one line, which the log's writer draws below the logs. So the two never share a
/// line, and nobody waits for the terminal.
#[derive(Debug)]
struct Screen {
    line: StatusLine,
    drawn: Mutex<String>,
}

impl Screen {
    fn new(line: StatusLine) -> Self {
        Self {
            line,
            drawn: Mutex::default(),
        }
    }

    fn drawn(&self) -> MutexGuard<'_, String> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.line.width()
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.drawn().push_str(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.drawn().clear();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.line.show(self.drawn().trim_end());
        Ok(())
    }
}
