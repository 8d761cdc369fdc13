//! What a machine may hold, asked of whoever counts it.

/// Counts the memory of a buffer that a peer fills.
pub trait Memory {
    /// Which limit refuses more.
    type Limit;

    /// Counts a buffer of this length, if that is more than was counted.
    ///
    /// # Errors
    /// When so much may not be held. What was counted before stays counted.
    fn cover(&mut self, len: usize) -> Result<(), Self::Limit>;

    /// Gives back what a buffer of this length does not need.
    fn shrink(&mut self, len: usize);
}
