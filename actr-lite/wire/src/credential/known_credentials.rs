use std::collections::{HashSet, VecDeque};

use super::{
    unverified::Credential,
    verifying_key::{Fingerprint, Genuine, VerifyingKey},
};

/// How many are remembered: as many peers as come back at once to a node that had a short break. They take some 100 KiB.
const MAX_KNOWN: usize = 1024;

/// Which credentials were found genuine already: a peer that comes again shows the same one, and to check a signature
/// takes longer than all else that an upgrade needs. The oldest is forgotten first.
///
/// It says nothing of expiry, id and possession: those are checked each time.
#[derive(Debug, Default)]
pub struct KnownCredentials {
    known: HashSet<Fingerprint>,
    oldest_first: VecDeque<Fingerprint>,
}

impl KnownCredentials {
    /// The credential as a genuine one, if it was [remembered](Self::remember) with just this key and signature.
    pub fn recall(&self, key: &VerifyingKey, credential: &Credential) -> Option<Genuine> {
        let genuine = Genuine::new(key, credential);
        self.known.contains(&genuine.fingerprint()).then_some(genuine)
    }

    /// Remembers that it is genuine.
    pub fn remember(&mut self, genuine: &Genuine) {
        let fingerprint = genuine.fingerprint();
        if !self.known.insert(fingerprint) {
            return;
        }
        self.oldest_first.push_back(fingerprint);
        if self.oldest_first.len() > MAX_KNOWN
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{credential::signing_key::SigningKey, identity::ActrId, proto};

    fn id(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Echo".parse().unwrap())
    }

    fn key(secret: u8) -> SigningKey {
        SigningKey::new(7, &[secret; 32])
    }

    fn remembered(credential: &Credential) -> KnownCredentials {
        let mut known = KnownCredentials::default();
        known.remember(&key(3).verifying_key().authenticate(credential).unwrap());
        known
    }

    #[test]
    fn a_remembered_credential_is_recalled_and_no_other() {
        let credential = key(3).issue(&id(5), 1_000, None);
        let known = remembered(&credential);
        let recalled = known.recall(&key(3).verifying_key(), &credential).unwrap();
        assert_eq!(recalled.verify(&id(5), 999).unwrap().expires_at, 1_000);
        assert!(recalled.verify(&id(5), 1_000).is_err(), "it has expired");
        assert!(recalled.verify(&id(6), 999).is_err(), "another shows it");
        let other = key(3).issue(&id(6), 1_000, None);
        assert!(known.recall(&key(3).verifying_key(), &other).is_none());
        assert!(
            known.recall(&key(4).verifying_key(), &credential).is_none(),
            "another key"
        );
    }

    #[test]
    fn no_changed_bit_of_a_known_credential_is_recalled() {
        let credential = key(3).issue(&id(5), 1_000, None);
        let known = remembered(&credential);
        let message = proto::AIdCredential::from(credential);
        for index in 0..message.claims.len() + message.signature.len() {
            let mut forged = message.clone();
            let (field, at) = match index.checked_sub(message.claims.len()) {
                None => (&mut forged.claims, index),
                Some(at) => (&mut forged.signature, at),
            };
            let mut bytes = field.to_vec();
            bytes[at] ^= 1;
            *field = bytes.into();
            assert!(known.recall(&key(3).verifying_key(), &forged.into()).is_none());
        }
        // A byte that moves from the claims to the signature changes neither in a row.
        let mut moved = message;
        let last = moved.claims.split_off(moved.claims.len() - 1);
        moved.signature = [last, moved.signature].concat().into();
        assert!(known.recall(&key(3).verifying_key(), &moved.into()).is_none());
    }

    #[test]
    fn the_oldest_is_forgotten_and_memory_is_bounded() {
        let mut known = KnownCredentials::default();
        let verifying = key(3).verifying_key();
        let issue = |serial: usize| key(3).issue(&id(serial as u64), 1_000, None);
        for serial in 0..=MAX_KNOWN {
            known.remember(&verifying.authenticate(&issue(serial)).unwrap());
            known.remember(&verifying.authenticate(&issue(serial)).unwrap());
        }
        assert!(known.recall(&verifying, &issue(0)).is_none());
        assert!(known.recall(&verifying, &issue(1)).is_some());
        assert!(known.recall(&verifying, &issue(MAX_KNOWN)).is_some());
        assert_eq!((known.known.len(), known.oldest_first.len()), (MAX_KNOWN, MAX_KNOWN));
    }
}
