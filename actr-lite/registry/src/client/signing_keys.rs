use std::collections::VecDeque;

use actr_lite_wire::credential::VerifyingKey;

/// The most keys that are kept: a registry has one or two at a time, and those of its earlier lives are soon not asked for.
const MAX_KEYS: usize = 16;

/// The registry's public keys that are known already.
#[derive(Default)]
pub(super) struct SigningKeys {
    /// The oldest first.
    keys: VecDeque<VerifyingKey>,
}

impl SigningKeys {
    pub(super) fn key(&self, key_id: u32) -> Option<VerifyingKey> {
        self.keys.iter().find(|key| key.key_id() == key_id).cloned()
    }

    /// Keeps a key, in the place of one with the same number if there is one, else of the oldest if they are too many.
    pub(super) fn insert(&mut self, key: VerifyingKey) {
        self.keys.retain(|known| known.key_id() != key.key_id());
        if self.keys.len() == MAX_KEYS {
            self.keys.pop_front();
        }
        self.keys.push_back(key);
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
        let mut keys = SigningKeys::default();
        for key_id in 0..=MAX_KEYS as u32 {
            keys.insert(key(key_id, 1));
        }
        assert_eq!(keys.key(0), None);
        assert_eq!(keys.key(1), Some(key(1, 1)));
        keys.insert(key(2, 9));
        assert_eq!(keys.key(2), Some(key(2, 9)));
        assert_eq!(keys.keys.len(), MAX_KEYS);
    }
}
