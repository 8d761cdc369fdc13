//! Places for connections whose peers nobody knows yet.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// The connections of a listener whose peers have not said yet who they are.
///
/// One more is never refused: if there is no place, the oldest one from the address that has most of them is ended. So who
/// connects and says nothing is in his own way.
#[derive(Debug)]
pub struct Places {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// The oldest first.
    places: VecDeque<(u64, IpAddr, CancellationToken)>,
}

/// One connection's place; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    ended: CancellationToken,
}

impl Places {
    /// At most so many at a time.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection from this address.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Place {
        let mut state = self.lock();
        let evicted = (state.places.len() >= self.most).then(|| state.evict()).flatten();
        let number = state.next;
        state.next += 1;
        let ended = CancellationToken::new();
        state.places.push_back((number, address, ended.clone()));
        drop(state);
        if let Some(evicted) = evicted {
            evicted.cancel();
        }
        Place {
            places: Arc::clone(self),
            number,
            ended,
        }
    }
}

impl State {
    /// Takes the oldest place of the address that has most of them.
    fn evict(&mut self) -> Option<CancellationToken> {
        let mut counts = HashMap::new();
        for (_, address, _) in &self.places {
            *counts.entry(*address).or_insert(0) += 1;
        }
        let most = counts.values().copied().max()?;
        let at = self
            .places
            .iter()
            .position(|(_, address, _)| counts.get(address) == Some(&most))?;
        self.places.remove(at).map(|(_, _, ended)| ended)
    }
}

impl Place {
    /// Completes when the connection has to go.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        if let Ok(at) = state.places.binary_search_by_key(&self.number, |(number, ..)| *number) {
            state.places.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 16;

    fn address(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    #[test]
    fn a_flood_of_connections_is_in_its_own_way() {
        let places = Arc::new(Places::new(MOST));
        let honest = places.enter(address(1));
        let mut flood: VecDeque<_> = (0..MOST).map(|_| places.enter(address(2))).collect();
        assert!(flood[0].ended.is_cancelled() && !flood[1].ended.is_cancelled());
        for _ in 0..2 * MOST {
            flood.push_back(places.enter(address(2)));
        }
        assert!(!honest.ended.is_cancelled());
        assert_eq!(places.lock().places.len(), MOST);
        drop(flood);
        assert_eq!(places.lock().places.len(), 1);
    }
}
