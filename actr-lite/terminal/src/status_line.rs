use std::sync::OnceLock;

use crate::{conventions, stderr};

/// Whether the program was told to be quiet.
static IS_QUIET: OnceLock<bool> = OnceLock::new();

/// Sets whether a status would be unwelcome.
pub(crate) fn set_quiet(is_quiet: bool) {
    let _ = IS_QUIET.set(is_quiet);
}

/// A line below the logs on the terminal, which is redrawn when it changes. Log lines appear above it.
///
/// Dropping it removes the line.
#[derive(Debug)]
pub struct StatusLine(());

impl StatusLine {
    /// `None` if stderr is not a terminal that can redraw a line, or the program was told to be quiet.
    pub fn open() -> Option<Self> {
        let is_quiet = IS_QUIET.get().copied().unwrap_or_default();
        (!is_quiet && conventions::can_redraw()).then_some(Self(()))
    }

    /// How many characters it may have.
    pub fn width(&self) -> u16 {
        conventions::width()
    }

    /// Shows a text instead of the one before; what is too wide for the terminal is cut.
    pub fn show(&self, text: &str) {
        let text: String = text.chars().take(self.width().into()).collect();
        stderr::set_status((!text.is_empty()).then_some(text));
    }
}

impl Drop for StatusLine {
    fn drop(&mut self) {
        stderr::set_status(None);
    }
}
