use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

/// How many entries there are before the unused ones are looked for the first time.
const SWEEP_FROM: usize = 16;

/// The parts of something by their keys: what each realm, address or peer has. One that nobody uses is forgotten, so
/// that the number of keys that ever came costs nothing.
///
/// It is looked at when somebody comes, not for each thing that they do: keep the part.
#[derive(Debug)]
pub struct Parts<K, P> {
    state: Mutex<State<K, P>>,
}

#[derive(Debug)]
struct State<K, P> {
    by_key: HashMap<K, Weak<P>>,
    /// At this length the unused ones are removed.
    sweep_at: usize,
}

impl<K, P> Default for Parts<K, P> {
    fn default() -> Self {
        let state = State {
            by_key: HashMap::new(),
            sweep_at: SWEEP_FROM,
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

impl<K: Eq + Hash, P> Parts<K, P> {
    /// The part of this key, which `make` makes if nobody uses it yet. It is called under the lock.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn find_or_make<E>(&self, key: K, make: impl FnOnce() -> Result<P, E>) -> Result<Arc<P>, E> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = state.by_key.get(&key).and_then(Weak::upgrade) {
            return Ok(part);
        }
        let part = Arc::new(make()?);
        if state.by_key.len() >= state.sweep_at {
            state.by_key.retain(|_, part| part.strong_count() > 0);
            state.sweep_at = SWEEP_FROM.max(2 * state.by_key.len());
        }
        state.by_key.insert(key, Arc::downgrade(&part));
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn part(parts: &Parts<usize, usize>, key: usize) -> Arc<usize> {
        let made: Result<_, Infallible> = parts.find_or_make(key, || Ok(key));
        made.unwrap()
    }

    #[test]
    fn a_part_is_the_same_while_somebody_uses_it() {
        let parts = Parts::default();
        let first = part(&parts, 1);
        assert!(Arc::ptr_eq(&first, &part(&parts, 1)));
        assert!(!Arc::ptr_eq(&first, &part(&parts, 2)));
        assert_eq!(parts.find_or_make(3, || Err("no")), Err("no"));
    }

    #[test]
    fn keys_that_nobody_uses_are_forgotten() {
        let parts = Parts::default();
        let kept: Vec<_> = (0..100).map(|key| part(&parts, key)).collect();
        for key in 100..10_000 {
            part(&parts, key);
        }
        assert!(parts.state.lock().unwrap().by_key.len() <= 2 * kept.len());
        assert!(kept.iter().all(|one| Arc::ptr_eq(one, &part(&parts, **one))));
    }
}
