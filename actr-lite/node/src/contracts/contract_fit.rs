use std::collections::BTreeSet;

use actr_lite_registry_client::{Candidate, PublishedContract};
use actr_lite_wire::{identity::ActrId, peer_text::PeerText};

/// How many other contracts an error names: the rest are counted.
const MAX_NAMED: usize = 3;

/// Which of the nodes that a registry has named may be called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ContractFit {
    /// These have the contract that was looked for: at least one.
    Usable(Vec<Candidate>),
    /// The registry does not tell which contract each of them has.
    Unknown(Vec<Candidate>),
    /// All have other contracts: which ones.
    Others(PeerText),
    /// None publishes a contract; this is one of them.
    Unpublished(ActrId),
}

/// Looks for candidates with the contract `expected`. What the others have makes no difference to those.
pub(crate) fn fit(candidates: Vec<Candidate>, expected: &str) -> ContractFit {
    let has =
        |candidate: &Candidate| matches!(&candidate.contract, PublishedContract::Fingerprint(one) if one == expected);
    let is_told = |candidate: &Candidate| candidate.contract != PublishedContract::NotTold;
    if candidates.iter().any(has) {
        return ContractFit::Usable(candidates.into_iter().filter(has).collect());
    }
    let others: BTreeSet<&str> = candidates
        .iter()
        .filter_map(|candidate| match &candidate.contract {
            PublishedContract::Fingerprint(other) => Some(other.as_str()),
            _ => None,
        })
        .collect();
    match candidates.first() {
        Some(first) if others.is_empty() && candidates.iter().all(is_told) => {
            ContractFit::Unpublished(first.id.clone())
        }
        _ if others.is_empty() => ContractFit::Unknown(candidates),
        _ => ContractFit::Others(named(&others)),
    }
}

fn named(others: &BTreeSet<&str>) -> PeerText {
    let named: Vec<&str> = others.iter().copied().take(MAX_NAMED).collect();
    let text = named.join(" and ");
    match others.len().saturating_sub(MAX_NAMED) {
        0 => text.into(),
        more => PeerText::of(&format_args!("{text} and {more} others")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::named_candidates::{candidates, of};

    #[test]
    fn those_that_fit_are_used_in_their_order_whatever_others_have() {
        let all = candidates(&[
            of("other"),
            of("same"),
            PublishedContract::None,
            of("same"),
            of("newest"),
        ]);
        let expected = vec![all[1].clone(), all[3].clone()];
        assert_eq!(fit(all, "same"), ContractFit::Usable(expected));
    }

    #[test]
    fn a_mismatch_is_the_answer_only_if_nobody_fits() {
        let all = candidates(&[of("b"), PublishedContract::None, of("a"), of("b")]);
        assert_eq!(fit(all, "same"), ContractFit::Others("a and b".into()));
        let many: Vec<_> = ["a", "b", "c", "d", "e"].map(of).into();
        let ContractFit::Others(text) = fit(candidates(&many), "same") else {
            panic!("nobody fits");
        };
        assert_eq!(text.to_string(), "a and b and c and 2 others");
    }

    #[test]
    fn no_contract_and_no_word_of_one_are_told_apart() {
        let none = candidates(&[PublishedContract::None, PublishedContract::None]);
        assert_eq!(fit(none.clone(), "same"), ContractFit::Unpublished(none[0].id.clone()));
        let not_told = candidates(&[PublishedContract::NotTold, PublishedContract::NotTold]);
        assert_eq!(fit(not_told.clone(), "same"), ContractFit::Unknown(not_told));
    }
}
