use std::{collections::VecDeque, time::Duration};

use actr_lite_wire::credential::VerifyingKey;

/// The most keys that are kept: a registry has one or two at a time, and those of its earlier lives are soon not asked for.
const MAX_KEYS: usize = 16;

/// How long a key is taken for good before the registry is asked again, which may have given it up: as long as credentials
/// are usually good.
const TRUSTED_FOR: Duration = Duration::from_secs(60 * 60);

/// The registry's public keys that are known already.
#[derive(Debug, Default)]
pub(super) struct SigningKeys {
    /// With the time at which the registry showed each; the oldest first.
    keys: VecDeque<(VerifyingKey, Duration)>,
}

impl SigningKeys {
    /// The key, if the registry has shown it not too long ago.
    pub(super) fn key(&self, key_id: u32, now: Duration) -> Option<VerifyingKey> {
        self.find(key_id)
            .filter(|(_, shown_at)| now.saturating_sub(*shown_at) < TRUSTED_FOR)
            .map(|(key, _)| key.clone())
    }

    /// The key, however long ago the registry has shown it: better than none while it can't be asked.
    pub(super) fn old_key(&self, key_id: u32) -> Option<VerifyingKey> {
        self.find(key_id).map(|(key, _)| key.clone())
    }

    fn find(&self, key_id: u32) -> Option<&(VerifyingKey, Duration)> {
        self.keys.iter().find(|(key, _)| key.key_id() == key_id)
    }

    /// Keeps a key that the registry has just shown, in the place of one with the same number if there is one, else of
    /// the oldest if they are too many.
    pub(super) fn insert(&mut self, key: VerifyingKey, now: Duration) {
        self.remove(key.key_id());
        if self.keys.len() == MAX_KEYS {
            self.keys.pop_front();
        }
        self.keys.push_back((key, now));
    }

    /// The registry has given the key up.
    pub(super) fn remove(&mut self, key_id: u32) {
        self.keys.retain(|(key, _)| key.key_id() != key_id);
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::credential::SigningKey;

    use super::*;

    fn key(key_id: u32, secret: u8) -> VerifyingKey {
        SigningKey::new(key_id, &[secret; 32]).verifying_key()
    }

    #[test]
    fn the_newest_keys_are_kept_one_for_each_number() {
        let (mut keys, now) = (SigningKeys::default(), Duration::ZERO);
        for key_id in 0..=MAX_KEYS as u32 {
            keys.insert(key(key_id, 1), now);
        }
        assert_eq!(keys.key(0, now), None);
        assert_eq!(keys.key(1, now), Some(key(1, 1)));
        keys.insert(key(2, 9), now);
        assert_eq!(keys.key(2, now), Some(key(2, 9)));
        assert_eq!(keys.keys.len(), MAX_KEYS);
        keys.remove(2);
        assert_eq!((keys.key(2, now), keys.old_key(2)), (None, None));
    }

    #[test]
    fn a_key_is_to_be_asked_for_again_after_a_while() {
        let (mut keys, now) = (SigningKeys::default(), Duration::ZERO);
        keys.insert(key(1, 1), now);
        assert!(keys.key(1, now + TRUSTED_FOR - Duration::from_secs(1)).is_some());
        assert_eq!(keys.key(1, now + TRUSTED_FOR), None);
        assert_eq!(keys.old_key(1), Some(key(1, 1)));
        keys.insert(key(1, 1), now + TRUSTED_FOR);
        assert!(keys.key(1, now + TRUSTED_FOR).is_some());
    }
}
