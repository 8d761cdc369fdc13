use std::fmt;

use actr_lite_wire::{identity::ActrId, peer_text::PeerText};

use super::registration::Registration;
use crate::realms::SecretNumber;

/// A new node says of its type what the node that holds it does not say. It may be an upgrade, and it may be somebody who
/// takes the type over: an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// Who holds the type.
    holder: ActrId,
    /// The secrets of the holder and of the new node, if they differ.
    secrets: Option<(SecretNumber, SecretNumber)>,
    /// The contracts of both, if they differ.
    contracts: Option<(PeerText, PeerText)>,
}

impl Contest {
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

impl fmt::Display for Contest {
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
