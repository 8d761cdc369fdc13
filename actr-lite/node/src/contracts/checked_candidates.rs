use std::collections::HashMap;

use actr_lite_registry_client::Candidate;
use actr_lite_wire::identity::{ActrId, ActrType};

/// Who was there when the contract that a registry named for their whole type was the right one.
///
/// A node has the same contract as long as it has its id. So a registry that then names only these need not be asked for
/// their contract again. There is an entry for each dependency at most, with as many nodes as one answer names.
#[derive(Debug, Default)]
pub(crate) struct CheckedCandidates(HashMap<ActrType, Vec<ActrId>>);

impl CheckedCandidates {
    /// Whether all of these were there.
    pub(crate) fn have(&self, actr_type: &ActrType, candidates: &[Candidate]) -> bool {
        let checked = self.0.get(actr_type);
        checked.is_some_and(|checked| candidates.iter().all(|candidate| checked.contains(&candidate.id)))
    }

    /// The contract of the type is the right one, and these are there.
    pub(crate) fn insert(&mut self, actr_type: &ActrType, candidates: &[Candidate]) {
        let ids = candidates.iter().map(|candidate| candidate.id.clone()).collect();
        self.0.insert(actr_type.clone(), ids);
    }
}

#[cfg(test)]
mod tests {
    use actr_lite_registry_client::PublishedContract::NotTold;

    use super::*;
    use crate::contracts::named_candidates::candidates;

    #[test]
    fn only_a_new_node_has_the_registry_asked_again() {
        let actr_type: ActrType = "acme+Server".parse().unwrap();
        let mut checked = CheckedCandidates::default();
        let mut named = candidates(&[NotTold, NotTold, NotTold]);
        let new = named.remove(2);
        assert!(!checked.have(&actr_type, &named));
        checked.insert(&actr_type, &named);
        named.reverse();
        assert!(checked.have(&actr_type, &named));
        assert!(checked.have(&actr_type, &named[..1]), "one has left");
        assert!(!checked.have(&"acme+Other".parse().unwrap(), &named));
        named.push(new);
        assert!(!checked.have(&actr_type, &named));
    }
}
