//! The memory of a buffer that a peer fills, on its account.

use std::sync::Arc;

use actr_lite_quota::{Limit, Permit};

use crate::{accounts::PeerAccount, memory::Memory};

/// In which steps the memory of a buffer is counted: small beside what it may become, and large beside what one record
/// adds, so that counting costs little.
const STEP: usize = 64 << 10;

/// The memory of a buffer that a peer fills, beyond what each connection has anyway.
#[derive(Debug)]
pub struct HeldBytes {
    account: Arc<PeerAccount>,
    /// What costs nothing more than the connection.
    free: usize,
    permit: Option<Permit>,
}

impl HeldBytes {
    /// For a buffer of which the first `free` bytes are a part of the connection.
    pub fn new(account: Arc<PeerAccount>, free: usize) -> Self {
        Self {
            account,
            free,
            permit: None,
        }
    }

    #[cold]
    fn grow(&mut self, amount: usize) -> Result<(), Limit> {
        match &mut self.permit {
            Some(permit) => permit.resize(amount),
            None => self.account.hold(amount).map(|permit| self.permit = Some(permit)),
        }
    }

    #[cold]
    fn give_back(&mut self, len: usize) {
        let amount = len.saturating_sub(self.free).next_multiple_of(STEP);
        match &mut self.permit {
            // A buffer whose length goes up and down is not worth counting each time.
            Some(permit) if amount > 0 => {
                if amount <= permit.amount() / 2 {
                    permit.shrink(amount);
                }
            }
            _ => self.permit = None,
        }
    }
}

impl Memory for HeldBytes {
    type Limit = Limit;

    /// When the peer's share leaves too little, so much may not be held.
    #[inline]
    fn cover(&mut self, len: usize) -> Result<(), Limit> {
        let counted = self.free + self.permit.as_ref().map_or(0, Permit::amount);
        if len <= counted {
            return Ok(());
        }
        self.grow((len - self.free).next_multiple_of(STEP))
    }

    /// Gives back only what is a good part.
    #[inline]
    fn shrink(&mut self, len: usize) {
        if self.permit.is_some() {
            self.give_back(len);
        }
    }
}
