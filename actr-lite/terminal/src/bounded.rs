use std::fmt;

/// The most bytes of one value in a log line, a message as a rule: enough for any explanation, and little for a peer
/// that would fill a log.
pub(crate) const MAX_VALUE_BYTES: usize = 8 << 10;

/// Takes [`MAX_VALUE_BYTES`], and then fails, so that no more is formatted.
pub(crate) struct Bounded<'a, W> {
    to: &'a mut W,
    left: usize,
}

impl<'a, W> Bounded<'a, W> {
    pub(crate) fn new(to: &'a mut W) -> Self {
        Self {
            to,
            left: MAX_VALUE_BYTES,
        }
    }

    /// Whether it has not taken everything.
    pub(crate) fn is_full(&self) -> bool {
        self.left == 0
    }
}

impl<W: fmt::Write> fmt::Write for Bounded<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() < self.left {
            self.left -= text.len();
            return self.to.write_str(text);
        }
        let end = text.floor_char_boundary(self.left);
        self.left = 0;
        self.to.write_str(text.get(..end).unwrap_or_default())?;
        Err(fmt::Error)
    }
}
