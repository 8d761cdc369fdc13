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

/// Grants a fixed number of bytes, and knows what is counted.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) limit: usize,
    pub(crate) counted: usize,
}

#[cfg(test)]
impl Memory for Budget {
    type Limit = usize;

    fn cover(&mut self, len: usize) -> Result<(), usize> {
        if len > self.limit {
            return Err(self.limit);
        }
        self.counted = self.counted.max(len);
        Ok(())
    }

    fn shrink(&mut self, len: usize) {
        self.counted = self.counted.min(len);
    }
}
