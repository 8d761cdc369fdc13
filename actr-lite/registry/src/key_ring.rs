//! The keys with which a registry signs, as plain data: time is an argument, and so is randomness.

use actr_lite_wire::credential::{SigningKey, VerifyingKey};

/// The most keys of a ring: the one that signs, and those before it whose credentials may still live. As a key signs
/// for at least as long as its credentials are valid, two are usual, and three until they are rotated.
pub(crate) const MAX_KEYS: usize = 8;

/// The keys of a registry: the newest signs, older ones are kept as long as one of their credentials may be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRing {
    /// The oldest first; never empty.
    keys: Vec<Key>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: u32,
    pub(crate) secret: [u8; 32],
    /// Unix time in seconds from which on it signed.
    pub(crate) since: u64,
}

impl std::fmt::Debug for Key {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl Key {
    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::new(self.id, &self.secret)
    }
}

impl KeyRing {
    /// With this key alone.
    pub(crate) fn new(first: Key) -> Self {
        Self { keys: vec![first] }
    }

    /// With these keys, in any order; `None` if there is no key, or two have the same number.
    pub(crate) fn from_keys(mut keys: Vec<Key>) -> Option<Self> {
        keys.sort_by_key(|key| key.since);
        let is_unique = |at: usize| keys[at + 1..].iter().all(|other| other.id != keys[at].id);
        ((1..=MAX_KEYS).contains(&keys.len()) && (0..keys.len()).all(is_unique)).then_some(Self { keys })
    }

    /// The same without keys from the future: the wall clock was wrong when one was made, and it must not sign longer
    /// for that.
    pub(crate) fn not_after(mut self, now: u64) -> Self {
        for key in &mut self.keys {
            key.since = key.since.min(now);
        }
        self
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The one that signs.
    pub(crate) fn current(&self) -> &Key {
        // There is always one: keys before it are dropped, never the last.
        &self.keys[self.keys.len() - 1]
    }

    pub(crate) fn verifying_keys(&self) -> impl Iterator<Item = VerifyingKey> {
        self.keys.iter().map(|key| key.signing_key().verifying_key())
    }

    /// When the next key is due, or an old one is over: in how many seconds from `now`.
    pub(crate) fn next_change(&self, lifetimes: Lifetimes, now: u64) -> u64 {
        let due = self.current().since.saturating_add(lifetimes.key);
        let over = self
            .keys
            .get(1)
            .map(|next| next.since.saturating_add(lifetimes.credential));
        over.map_or(due, |over| over.min(due)).saturating_sub(now)
    }

    /// The ring as it should be at `now`: with a new key where one is due, made with `fresh`, and without those of which
    /// no credential lives any more. None where it is that already.
    pub(crate) fn at(&self, lifetimes: Lifetimes, now: u64, fresh: impl FnOnce() -> (u32, [u8; 32])) -> Option<Self> {
        let mut keys = self.keys.clone();
        if self.current().since.saturating_add(lifetimes.key) <= now {
            let (id, secret) = fresh();
            // A number that is taken is drawn again the next time.
            if keys.iter().all(|key| key.id != id) {
                keys.push(Key { id, secret, since: now });
            }
        }
        let is_over = |successor: &Key| successor.since.saturating_add(lifetimes.credential) <= now;
        let over = keys.iter().skip(1).take_while(|successor| is_over(successor)).count();
        keys.drain(..over);
        (keys != self.keys).then_some(Self { keys })
    }
}

/// How long keys and credentials are valid, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    /// A key, for signing; at least as long as its credentials.
    pub(crate) key: u64,
    /// A credential that it signed.
    pub(crate) credential: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: u32, since: u64) -> Key {
        Key {
            id,
            secret: [7; 32],
            since,
        }
    }

    #[test]
    fn a_rotated_key_is_known_until_its_credentials_expire() {
        let lifetimes = Lifetimes {
            key: 100,
            credential: 30,
        };
        let ring = KeyRing::new(key(1, 1000));
        let never = || panic!("no key is due");
        assert_eq!(ring.next_change(lifetimes, 1001), 99);
        assert_eq!(ring.at(lifetimes, 1099, never), None);
        let ring = ring.at(lifetimes, 1100, || (2, [8; 32])).unwrap();
        assert_eq!((ring.current().id, ring.keys().len()), (2, 2));
        assert_eq!(ring.next_change(lifetimes, 1101), 29);
        assert_eq!(
            ring.at(lifetimes, 1129, never),
            None,
            "the last credential of the first lives for another second"
        );
        let ring = ring.at(lifetimes, 1130, never).unwrap();
        assert_eq!((ring.current().id, ring.keys().len()), (2, 1));
        assert_eq!(ring.next_change(lifetimes, 1131), 69);
    }

    #[test]
    fn keys_of_a_ring_differ_in_their_numbers() {
        assert_eq!(KeyRing::from_keys(vec![]), None);
        assert_eq!(KeyRing::from_keys(vec![key(1, 1), key(1, 2)]), None);
        let ring = KeyRing::from_keys(vec![key(2, 20), key(1, 10)]).unwrap();
        assert_eq!(ring.current().id, 2);
        let too_many = (0..=MAX_KEYS as u32).map(|id| key(id, 1)).collect();
        assert_eq!(KeyRing::from_keys(too_many), None);
    }

    #[test]
    fn a_key_from_the_future_signs_no_longer_than_others() {
        let lifetimes = Lifetimes {
            key: 100,
            credential: 30,
        };
        let ring = KeyRing::from_keys(vec![key(1, 900), key(2, 999_999)]).unwrap();
        assert_eq!(ring.clone().not_after(1000).next_change(lifetimes, 1000), 30);
        assert_eq!(ring.not_after(1000).current().id, 2);
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert!(!format!("{:?}", key(1, 2)).contains('7'));
    }

    proptest! {
        /// What was signed can be verified until it expires, whenever keys were rotated.
        #[test]
        fn no_living_credential_loses_its_key(
            (credential_life, longer) in (1..200_u64, 0..200_u64),
            steps in proptest::collection::vec(0..300_u64, 1..40),
        ) {
            let lifetimes = Lifetimes { key: credential_life + longer, credential: credential_life };
            let (mut now, mut next_id) = (1000, 2);
            let mut ring = KeyRing::new(key(1, now));
            let mut issued: Vec<(u32, u64)> = Vec::new();
            for step in steps {
                // Rotated at any time: too early, or long after something was due.
                issued.push((ring.current().id, now + credential_life));
                now += step;
                let fresh = || { next_id += 1; (next_id, [9; 32]) };
                if let Some(changed) = ring.at(lifetimes, now, fresh) {
                    prop_assert!(changed.keys().len() <= MAX_KEYS);
                    for (id, expires_at) in &issued {
                        let is_known = changed.keys().iter().any(|key| key.id == *id);
                        prop_assert!(is_known || *expires_at <= now, "{id} at {now}");
                    }
                    prop_assert_eq!(changed.at(lifetimes, now, || unreachable!()), None);
                    ring = changed;
                }
            }
        }
    }
}
