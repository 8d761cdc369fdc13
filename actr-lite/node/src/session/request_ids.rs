use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// The most digits of a request's number.
const MAX_HEX_LEN: usize = 16;

/// Gives each request of a node an id. It is globally unique: receivers distinguish requests only by it.
pub(crate) struct RequestIds {
    prefix: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self {
            prefix: format!("{:032x}", rand::random::<u128>()),
            next: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut id = String::with_capacity(self.prefix.len() + 1 + MAX_HEX_LEN);
        // Writing to a string can't fail.
        let _ = write!(id, "{}-{number:x}", self.prefix);
        id
    }
}
