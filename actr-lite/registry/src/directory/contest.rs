use std::fmt;

use actr_lite_wire::{identity::ActrId, peer_text::PeerText};

use super::registration::Registration;
use crate::realms::SecretNumber;

/// What an operator should know of a node that registers a type: it may be an upgrade, and it may be somebody who takes the
/// type over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// How it differs from the node that holds the type in its realm, if it does.
    pub rival: Option<Rival>,
    /// The realms of those who have ever registered the type, if nobody of this realm with this secret has; the own realm
    /// is among them if it was with another secret.
    pub taken_from: Option<Vec<u32>>,
}

/// A new node says of its type what the node that holds it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// Who holds the type.
    holder: ActrId,
    /// The secrets of the holder and of the new node, if they differ.
    secrets: Option<(SecretNumber, SecretNumber)>,
    /// The contracts of both, if they differ.
    contracts: Option<(PeerText, PeerText)>,
}

impl Rival {
    /// `None` if the two agree, or the new one will be no candidate.
    pub(super) fn between(new: &Registration, holder: &ActrId, held: &Registration) -> Option<Self> {
        if new.is_hidden {
            return None;
        }
        let secrets = held.secret.zip(new.secret).filter(|(held, new)| held != new);
        let fingerprint = |registration: &Registration| match registration.fingerprint() {
            Some(fingerprint) => PeerText::new(fingerprint),
            None => "none".into(),
        };
        let contracts = (fingerprint(held), fingerprint(new));
        let contracts = Some(contracts).filter(|(held, new)| held != new);
        (secrets.is_some() || contracts.is_some()).then(|| Self {
            holder: holder.clone(),
            secrets,
            contracts,
        })
    }
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "registered a type that {} holds", self.holder)?;
        if let Some((held, new)) = &self.secrets {
            write!(f, ", with {new} of the realm instead of {held}")?;
        }
        if let Some((held, new)) = &self.contracts {
            write!(f, ", with the contract {new} instead of {held}")?;
        }
        Ok(())
    }
}
