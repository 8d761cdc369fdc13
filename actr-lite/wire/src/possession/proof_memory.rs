use std::collections::{BTreeSet, HashMap};

use super::{holder_key::ProofError, replay_window::ReplayWindow};
use crate::identity::ActrId;

/// How many provers are remembered: more than a registry has nodes by default, and some 2 MiB.
const MAX_PROVERS: usize = 16_384;

/// A prover: its realm and its serial number, which a registry gives once.
type ProverKey = (u32, u64);

/// Which proofs a node has taken, of all who dial it, as long as the credentials that they belong to are valid.
///
/// If there are more provers than it remembers, the one whose credential ends first is forgotten. Then a proof of that one
/// would be taken a second time, if somebody has seen it on its way.
#[derive(Debug, Default)]
pub struct ProofMemory {
    windows: HashMap<ProverKey, Remembered>,
    by_end: BTreeSet<(u64, ProverKey)>,
}

#[derive(Debug)]
struct Remembered {
    window: ReplayWindow,
    expires_at: u64,
}

impl ProofMemory {
    /// Takes a proof of this number by `prover`, whose credential ends at `expires_at`; times are Unix seconds.
    ///
    /// # Errors
    /// [`ProofError::Used`] when it was taken before, or may have been.
    pub fn take(&mut self, prover: &ActrId, number: u64, expires_at: u64, now: u64) -> Result<(), ProofError> {
        while let Some(&(end, key)) = self.by_end.first() {
            let is_full = self.by_end.len() >= MAX_PROVERS && !self.windows.contains_key(&key_of(prover));
            if end > now && !is_full {
                break;
            }
            self.by_end.pop_first();
            self.windows.remove(&key);
        }
        let key = key_of(prover);
        let remembered = self.windows.entry(key).or_insert_with(|| Remembered {
            window: ReplayWindow::default(),
            expires_at,
        });
        let end = remembered.expires_at.max(expires_at);
        self.by_end.remove(&(remembered.expires_at, key));
        self.by_end.insert((end, key));
        remembered.expires_at = end;
        match remembered.window.take(number) {
            true => Ok(()),
            false => Err(ProofError::Used),
        }
    }
}

fn key_of(prover: &ActrId) -> ProverKey {
    (prover.realm_id(), prover.serial_number())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const NOW: u64 = 1_000;

    fn id(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme+Echo".parse().unwrap())
    }

    #[test]
    fn a_proof_is_taken_once_until_its_credential_ends() {
        let mut memory = ProofMemory::default();
        assert_eq!(memory.take(&id(5), 1, NOW + 10, NOW), Ok(()));
        assert_eq!(memory.take(&id(5), 1, NOW + 10, NOW + 9), Err(ProofError::Used));
        assert_eq!(memory.take(&id(6), 1, NOW + 10, NOW), Ok(()), "another prover");
        // Renewed: the old credential's end is not the end.
        assert_eq!(memory.take(&id(5), 2, NOW + 20, NOW + 9), Ok(()));
        assert_eq!(memory.take(&id(5), 1, NOW + 10, NOW + 19), Err(ProofError::Used));
        assert_eq!(memory.windows.len(), 1, "6 has ended");
    }

    #[test]
    fn memory_is_bounded_and_a_newcomer_is_taken_all_the_same() {
        let mut memory = ProofMemory::default();
        for serial in 0..MAX_PROVERS as u64 + 100 {
            assert_eq!(memory.take(&id(serial), 1, NOW + 1 + serial, NOW), Ok(()));
        }
        assert_eq!(memory.windows.len(), MAX_PROVERS);
        let latest = MAX_PROVERS as u64 + 99;
        assert_eq!(
            memory.take(&id(latest), 1, NOW + 1 + latest, NOW),
            Err(ProofError::Used)
        );
        assert_eq!(memory.take(&id(latest), 2, NOW + 1 + latest, NOW), Ok(()));
        assert_eq!(
            memory.windows.len(),
            MAX_PROVERS,
            "whoever is known takes no other's place"
        );
    }

    proptest! {
        #[test]
        fn windows_and_ends_are_of_the_same_provers(
            proofs in vec((0..8u64, 0..20u64, 0..30u64, 0..4u64), 0..200),
        ) {
            let (mut memory, mut now) = (ProofMemory::default(), NOW);
            for (serial, number, lifetime, step) in proofs {
                now += step;
                let _ = memory.take(&id(serial), number, now + 1 + lifetime, now);
                let mut ends: Vec<_> = memory.windows.iter().map(|(key, kept)| (kept.expires_at, *key)).collect();
                ends.sort_unstable();
                prop_assert!(memory.by_end.iter().eq(&ends));
                prop_assert!(ends.iter().all(|(end, _)| *end > now));
            }
        }
    }
}
