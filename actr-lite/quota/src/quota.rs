use std::{mem, sync::Arc};

use crate::{
    atomic::{AtomicUsize, Ordering},
    limit::Limit,
};

/// How much of something there may be, and how much there is; a whole, or a part of one.
///
/// What is taken of a part is taken of its whole too. The limits of parts may add up to more than their whole: then each
/// part gets what the others leave. Where parts must not touch each other, let their limits add up to the whole.
#[derive(Debug)]
pub struct Quota {
    limit: Limit,
    used: AtomicUsize,
    whole: Option<Arc<Quota>>,
    modesty: Option<Modesty>,
}

/// What a part leaves to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modesty {
    /// It holds at most what its whole has left, divided by this.
    pub divisor: usize,
    /// This much it may hold anyway, if there is so much.
    pub floor: usize,
}

impl Modesty {
    /// The most that a part may hold where its whole has so much left, apart from what the part holds.
    pub fn most(self, left: usize) -> usize {
        (left / self.divisor.max(1)).max(self.floor)
    }
}

impl Quota {
    /// A whole.
    pub fn whole(limit: Limit) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
            whole: None,
            modesty: None,
        })
    }

    /// A part of this.
    pub fn part(self: &Arc<Self>, limit: Limit) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
            whole: Some(Arc::clone(self)),
            modesty: None,
        })
    }

    /// A part that may hold less as the whole fills up, so that there is something left for one that comes later: each
    /// greedy part takes only a fraction of what those before it have left.
    pub fn modest_part(self: &Arc<Self>, limit: Limit, modesty: Modesty) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
            whole: Some(Arc::clone(self)),
            modesty: Some(modesty),
        })
    }

    /// Takes this much of it, and of all that it is a part of.
    ///
    /// # Errors
    /// The limit that leaves too little. Nothing is taken then.
    pub fn take(self: &Arc<Self>, amount: usize) -> Result<Permit, Limit> {
        self.add(amount)?;
        Ok(Permit {
            quota: Arc::clone(self),
            amount,
        })
    }

    /// The most that may be taken.
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// How much is taken.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// From this one up to the whole.
    fn levels(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |quota| quota.whole.as_deref())
    }

    fn add(&self, amount: usize) -> Result<(), Limit> {
        for (below, level) in self.levels().enumerate() {
            let fits = |used: usize| used.checked_add(amount).filter(|used| *used <= level.limit.value());
            // Nothing else depends on the order in which others see the counts.
            let taken = level.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
            if taken.is_err() && amount > 0 {
                self.subtract_from(below, amount);
                return Err(level.limit);
            }
        }
        let overdrawn = self.levels().find_map(Self::exceeds_what_it_has_to_leave);
        match overdrawn.filter(|_| amount > 0) {
            None => Ok(()),
            Some(limit) => {
                self.subtract(amount);
                Err(limit)
            }
        }
    }

    fn exceeds_what_it_has_to_leave(&self) -> Option<Limit> {
        let (whole, modesty) = (self.whole.as_ref()?, self.modesty?);
        let left = whole.limit.value().saturating_sub(whole.used());
        (self.used() > modesty.most(left)).then_some(whole.limit)
    }

    fn subtract(&self, amount: usize) {
        self.subtract_from(usize::MAX, amount);
    }

    /// Gives back to this many levels.
    fn subtract_from(&self, levels: usize, amount: usize) {
        for level in self.levels().take(levels) {
            level.used.fetch_sub(amount, Ordering::Relaxed);
        }
    }
}

/// What was taken of a [`Quota`]; dropping it gives it back.
#[derive(Debug)]
pub struct Permit {
    quota: Arc<Quota>,
    amount: usize,
}

impl Permit {
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
