use std::{mem, sync::Arc};

use crate::{limit::Limit, quota::Quota};

/// What was taken of a [`Quota`]; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    quota: Arc<Quota>,
    amount: usize,
}

impl Permit {
    pub(crate) fn new(quota: Arc<Quota>, amount: usize) -> Self {
        Self { quota, amount }
    }

    /// How much it stands for.
    pub fn amount(&self) -> usize {
        self.amount
    }

    /// Makes it stand for this much: takes what is missing, or gives back what is too much.
    ///
    /// # Errors
    /// The limit that leaves too little. It stands for as much as before then.
    pub fn resize(&mut self, amount: usize) -> Result<(), Limit> {
        match amount.checked_sub(self.amount) {
            Some(missing) => self.quota.add(missing)?,
            None => self.quota.subtract(self.amount - amount),
        }
        self.amount = amount;
        Ok(())
    }

    /// Makes it stand for no more than this.
    pub fn shrink(&mut self, amount: usize) {
        let kept = amount.min(self.amount);
        self.quota.subtract(mem::replace(&mut self.amount, kept) - kept);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.quota.subtract(self.amount);
    }
}
