//! What would take so long that others notice is done in steps, and what is asked for is found without looking at all
//! nodes.

use std::time::Duration;

use actr_lite_registry::directory::{
    CandidateSearch, ContractSearch, Directory, DirectoryError, EXPIRED_PER_STEP, Load, MAX_CANDIDATES, NODES_PER_STEP,
    Registration,
};
use actr_lite_wire::{identity::ActrId, proto::ServiceAvailabilityState};

use crate::{LEASE, actr_type, directory, expire, register, registration, shut, spec};

const CROWD: usize = 1000;

fn crowd(change: impl Fn(&mut Registration)) -> (Directory, ActrId) {
    let mut directory = directory();
    let asker = register(&mut directory, registration(1, actr_type(0)));
    for _ in 0..CROWD {
        let mut one = registration(1, actr_type(1));
        change(&mut one);
        register(&mut directory, one);
    }
    (directory, asker)
}

#[test]
fn only_those_that_are_named_are_looked_at() {
    let (mut directory, asker) = crowd(|_| ());
    let mut search = CandidateSearch::new(asker.clone(), actr_type(1), "", 0);
    let found = search.step(&mut directory, Duration::ZERO).unwrap().unwrap();
    assert_eq!((found.len(), search.examined()), (MAX_CANDIDATES, MAX_CANDIDATES));
    let mut search = CandidateSearch::new(asker, actr_type(2), "", 0);
    assert_eq!(search.step(&mut directory, Duration::ZERO), Some(Ok(Vec::new())));
    assert_eq!(search.examined(), 0, "there are none of another type among them");
}

#[test]
fn a_search_among_those_that_refuse_goes_on_in_steps() {
    let (mut directory, asker) = crowd(|one| one.acl = shut());
    let mut search = CandidateSearch::new(asker, actr_type(1), "", 0);
    for step in 1.. {
        let found = search.step(&mut directory, Duration::ZERO);
        assert!(search.examined() <= step * NODES_PER_STEP);
        if let Some(found) = found {
            assert!(matches!(found, Err(DirectoryError::Acl(_))), "{found:?}");
            break;
        }
    }
    assert_eq!(search.examined(), CROWD);
}

#[test]
fn what_changes_between_two_steps_is_named_once() {
    let (mut directory, asker) = crowd(|one| one.acl = shut());
    let open = register(&mut directory, registration(1, actr_type(1)));
    let mut search = CandidateSearch::new(asker, actr_type(1), "other", 0);
    let found = loop {
        if let Some(found) = search.step(&mut directory, Duration::ZERO) {
            break found.unwrap();
        }
        let busy = Load::new(ServiceAvailabilityState::Overloaded, 0.0, 1.0);
        directory.heartbeat(&open, busy, Duration::ZERO).unwrap();
    };
    assert_eq!(found.len(), 1);
}

#[test]
fn the_contract_of_a_crowd_is_found_at_once() {
    let (directory, asker) = crowd(|one| one.contract = spec("Echo", "same"));
    for name in ["acme:Type1:1.0.0", "Echo"] {
        let mut search = ContractSearch::new(asker.clone(), name, None);
        assert!(search.step(&directory, Duration::ZERO).is_some(), "{name}");
    }
    let (directory, asker) = crowd(|one| {
        one.contract = spec("Echo", "same");
        one.acl = shut();
    });
    let mut search = ContractSearch::new(asker, "acme:Type1:1.0.0", None);
    let steps = std::iter::from_fn(|| search.step(&directory, Duration::ZERO).is_none().then_some(()));
    assert_eq!(steps.count(), CROWD / NODES_PER_STEP);
}

#[test]
fn nodes_whose_leases_end_at_once_leave_in_steps() {
    let (mut directory, _) = crowd(|_| ());
    let mut left = CROWD + 1;
    while left > 0 {
        let step = expire(&mut directory, LEASE);
        assert_eq!(step.len(), left.min(EXPIRED_PER_STEP));
        left -= step.len();
    }
    assert_eq!(directory.stored_bytes(), 0);
}
