use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// How often each of a few things has happened; their names are all in the code.
#[derive(Debug)]
pub(crate) struct Counts<K>(Mutex<BTreeMap<K, u64>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone> Counts<K> {
    /// That none of these has happened yet: who watches sees the first time too.
    pub(crate) fn of(known: impl IntoIterator<Item = K>) -> Self {
        Self(Mutex::new(known.into_iter().map(|what| (what, 0)).collect()))
    }

    /// Once more.
    pub(crate) fn count(&self, what: K) {
        *self.lock().entry(what).or_default() += 1;
    }

    /// How often each has.
    pub(crate) fn all(&self) -> BTreeMap<K, u64> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<K, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
