//! Who may connect, and how often.

use std::{fmt::Display, hash::Hash, time::Duration};

use actr_lite_wire::{
    credential::{Genuine, KnownCredentials, VerifyingKey},
    identity::ActrId,
    possession::{ProofError, ProofMemory},
    rate_limit::{Rate, RateExceeded, RateLimit},
};
use http::StatusCode;

use crate::upgrade::{
    refused::RefusedUpgrade,
    request::{Proven, UpgradeRequest},
};

/// Connections from one address, whoever makes them: the burst is twice what a node accepts at all, so that everybody may
/// come back at once to a node that was restarted. The rate costs a tenth of a processor without TLS, and one with it.
const FROM_ADDRESS: Rate = Rate {
    burst: 8192,
    per_second: 1000,
};

/// Connections of one peer: the burst is four times what it may have at a time.
const OF_PEER: Rate = Rate {
    burst: 1024,
    per_second: 100,
};

/// Signing keys that this node asks its registry for, because an upgrade from one address names one that it does not know.
/// Anybody can name one, and the registry answers a node 200 questions a second, which are for its own: a flood from an
/// address gets a twentieth. A registry has two keys or three, and its earlier lives had as many.
const UNKNOWN_KEYS: Rate = Rate {
    burst: 64,
    per_second: 10,
};

/// Decides who may connect to a node, one step after the other: somebody [knocks](Self::knock), shows who it is, with a key
/// that [may have to be asked for](Self::ask_for_key), and [enters](Self::enter). `Source` is where connections come from.
#[derive(Debug)]
pub struct Doorkeeper<Source> {
    from_address: RateLimit<Source>,
    of_peer: RateLimit<(u32, u64)>,
    unknown_keys: RateLimit<Source>,
    /// Whose credentials were found genuine.
    known: KnownCredentials,
    /// Which proofs of possession were taken.
    proofs: ProofMemory,
}

impl<Source: Hash + Eq + Copy> Default for Doorkeeper<Source> {
    fn default() -> Self {
        Self {
            from_address: RateLimit::new(FROM_ADDRESS),
            of_peer: RateLimit::new(OF_PEER),
            unknown_keys: RateLimit::new(UNKNOWN_KEYS),
            known: KnownCredentials::default(),
            proofs: ProofMemory::default(),
        }
    }
}

impl<Source: Hash + Eq + Copy + Display> Doorkeeper<Source> {
    /// An upgrade is asked for, and it is not known yet by whom.
    ///
    /// # Errors
    /// When too many come from there.
    pub fn knock(&mut self, from: Source, now: Duration) -> Result<(), RateExceeded> {
        let taken = self.from_address.take(from, now);
        taken.map_err(|too_often| too_often.of(format_args!("connections from {from} come")))
    }

    /// The registry is to be asked for a signing key.
    ///
    /// # Errors
    /// When too many unknown ones are shown from there.
    pub fn ask_for_key(&mut self, from: Source, now: Duration) -> Result<(), RateExceeded> {
        let taken = self.unknown_keys.take(from, now);
        taken.map_err(|too_often| too_often.of(format_args!("{from} shows credentials with unknown signing keys")))
    }

    /// The credential that is shown as a genuine one, if the peer was [let in](Self::take_proof) with it before. If not, its
    /// signature has to be checked, which takes long, and so not by this.
    pub fn recall(&self, key: &VerifyingKey, request: &UpgradeRequest) -> Option<Genuine> {
        self.known.recall(key, request.credential())
    }

    /// The peer has proved that it is itself, with this credential: the same upgrade does so once. `now` are Unix seconds.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_proof(&mut self, peer: &ActrId, genuine: &Genuine, proven: Proven, now: u64) -> Result<(), ProofError> {
        if let Some(number) = proven.number {
            self.proofs.take(peer, number, proven.expires_at, now)?;
        }
        self.known.remember(genuine);
        Ok(())
    }

    /// The peer is who it says, and connects.
    ///
    /// # Errors
    /// When it does so too often, or the node stops.
    pub fn enter(&mut self, request: &UpgradeRequest, is_stopping: bool, now: Duration) -> Result<(), RefusedUpgrade> {
        let peer = &request.peer;
        let taken = self.of_peer.take((peer.realm_id(), peer.serial_number()), now);
        taken.map_err(|too_often| too_often.of(format_args!("{peer} connects")))?;
        match is_stopping {
            true => Err(RefusedUpgrade::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "this node is shutting down",
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::credential::SigningKey;

    use super::*;

    const AT: Duration = Duration::from_secs(100);

    #[test]
    fn a_flood_from_one_address_leaves_the_others_alone() {
        let mut doorkeeper = Doorkeeper::default();
        let knocks = (0..10_000).filter(|_| doorkeeper.knock("here", AT).is_ok()).count();
        let asked = (0..10_000)
            .filter(|_| doorkeeper.ask_for_key("here", AT).is_ok())
            .count();
        assert_eq!((knocks, asked), (8192, 64));
        assert!(doorkeeper.knock("there", AT).is_ok() && doorkeeper.ask_for_key("there", AT).is_ok());
        let error = doorkeeper.knock("here", AT).unwrap_err();
        assert_eq!(
            RefusedUpgrade::from(error.clone()).into_response().headers()["retry-after"],
            "1"
        );
        assert!(error.to_string().starts_with("connections from here come too often"));
        let later = AT + Duration::from_secs(1);
        assert!(doorkeeper.knock("here", later).is_ok() && doorkeeper.ask_for_key("here", later).is_ok());
    }

    #[test]
    fn a_proof_counts_once() {
        let mut doorkeeper = Doorkeeper::<u8>::default();
        let peer = ActrId::new(1, 1, "acme+Echo".parse().unwrap());
        let proven = |number| Proven {
            number,
            expires_at: 200,
        };
        let credential = SigningKey::new(7, &[3; 32]).issue(&peer, 200, None);
        let genuine = SigningKey::new(7, &[3; 32]).verifying_key().authenticate(&credential);
        let genuine = genuine.unwrap();
        let mut take = |number| doorkeeper.take_proof(&peer, &genuine, proven(number), 100);
        assert_eq!(take(Some(5)), Ok(()));
        assert_eq!(take(Some(5)), Err(ProofError::Used));
        assert_eq!(take(Some(6)), Ok(()));
        for _ in 0..2 {
            assert_eq!(take(None), Ok(()), "it needs none");
        }
    }
}
