use std::{cmp::Reverse, collections::BTreeMap, fmt};

use actr_lite_registry_client::{Candidate, PublishedContract};
use actr_lite_wire::{identity::ActrId, peer_text::PeerText};

/// How many contracts an error names: the rest are counted.
const MAX_NAMED: usize = 3;

/// The contracts that the nodes of a type publish: each one with its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedContracts(Vec<(PeerText, Vec<ActrId>)>);

/// Which of the contracts of a type is to be locked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LockChoice {
    /// The one that the registry names for the type: it does not tell more, or nobody publishes any yet.
    OfType,
    /// The one with this fingerprint.
    One(String),
    /// There are several, and none was asked for.
    Unclear(PublishedContracts),
}

/// Chooses among the contracts of the candidates; `wanted` is the fingerprint that the user asks for.
pub(crate) fn choose(candidates: &[Candidate], wanted: Option<&str>) -> LockChoice {
    let mut published: BTreeMap<&str, Vec<ActrId>> = BTreeMap::new();
    for candidate in candidates {
        if let PublishedContract::Fingerprint(fingerprint) = &candidate.contract {
            published.entry(fingerprint).or_default().push(candidate.id.clone());
        }
    }
    let wanted = wanted.filter(|wanted| published.contains_key(wanted));
    let only = published.keys().next().filter(|_| published.len() == 1);
    match wanted.or(only.copied()) {
        Some(one) => LockChoice::One(one.into()),
        None if published.is_empty() => LockChoice::OfType,
        None => {
            let mut contracts: Vec<(PeerText, Vec<ActrId>)> = published
                .into_iter()
                .map(|(one, ids)| (PeerText::new(one), ids))
                .collect();
            contracts.sort_by_key(|(_, ids)| Reverse(ids.len()));
            LockChoice::Unclear(PublishedContracts(contracts))
        }
    }
}

impl fmt::Display for PublishedContracts {
    /// Those of most nodes first, each with one of its nodes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} contracts: ", self.0.len())?;
        for (at, (fingerprint, ids)) in self.0.iter().take(MAX_NAMED).enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            write!(f, "{fingerprint} of ")?;
            match &ids[..] {
                [] => f.write_str("nobody")?,
                [id] => id.fmt(f)?,
                [id, others @ ..] => write!(f, "{id} and {} more", others.len())?,
            }
        }
        match self.0.len().saturating_sub(MAX_NAMED) {
            0 => Ok(()),
            more => write!(f, ", and {more} others"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::named_candidates::{candidates, of};

    #[test]
    fn the_only_contract_is_chosen_and_of_several_the_wanted_one() {
        let only = candidates(&[of("a"), PublishedContract::None, of("a")]);
        assert_eq!(choose(&only, None), LockChoice::One("a".into()));
        // It may be meant for another dependency.
        assert_eq!(choose(&only, Some("b")), LockChoice::One("a".into()));
        let several = candidates(&[of("a"), of("b")]);
        assert_eq!(choose(&several, Some("b")), LockChoice::One("b".into()));
    }

    #[test]
    fn nothing_is_chosen_of_several_by_itself() {
        let several = candidates(&[of("a"), of("b"), of("\x1b[2J"), of("b"), of("d")]);
        for wanted in [None, Some("c")] {
            let LockChoice::Unclear(contracts) = choose(&several, wanted) else {
                panic!("there are several");
            };
            let text = contracts.to_string();
            let begin = "4 contracts: b of 2@1/acme:Server:1.0.0 and 1 more, ";
            assert!(text.starts_with(begin) && text.ends_with(", and 1 others"), "{text}");
            assert!(!text.contains('\x1b'), "{text}");
        }
    }

    #[test]
    fn what_is_not_told_is_left_to_the_registry() {
        for contract in [PublishedContract::NotTold, PublishedContract::None] {
            assert_eq!(choose(&candidates(&[contract]), Some("a")), LockChoice::OfType);
        }
        assert_eq!(choose(&[], None), LockChoice::OfType);
    }
}
