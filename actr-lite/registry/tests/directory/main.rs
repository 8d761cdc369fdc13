//! What the directory promises, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod candidates;
mod contracts;
mod identity;
mod limits;
mod steps;

use std::time::Duration;

use actr_lite_net::source::Source;
use actr_lite_registry::directory::{
    AccessList, Candidate, CandidateSearch, Contract, ContractSearch, Directory, DirectoryError, Grant, Limits,
    Registration,
};
use actr_lite_wire::{
    acl::{Acl, AclRule, Permission, RealmScope},
    identity::{ActrId, ActrType},
    proto::ServiceSpec,
};
use prost::Message as _;

const LEASE: Duration = Duration::from_millis(300);
const UNIX_NOW: u64 = 1_000;

fn directory() -> Directory {
    Directory::new(100, LEASE, Limits::default())
}

/// An address of a network for documentation.
fn from(last: u8) -> Source {
    Source::of(std::net::Ipv4Addr::new(192, 0, 2, last).into())
}

fn actr_type(number: u8) -> ActrType {
    format!("acme:Type{number}:1.0.0").parse().unwrap()
}

fn registration(realm_id: u32, actr_type: ActrType) -> Registration {
    Registration {
        actr_type,
        realm_id,
        contract: None,
        acl: None,
        ws_address: Some("ws://127.0.0.1:9".into()),
        is_hidden: false,
        secret: None,
        holder_key: None,
    }
}

fn spec(name: &str, fingerprint: &str) -> Option<Contract> {
    let spec = ServiceSpec {
        name: name.into(),
        fingerprint: fingerprint.into(),
        ..ServiceSpec::default()
    };
    Some(Contract::from(&spec))
}

fn register(directory: &mut Directory, registration: Registration) -> ActrId {
    granted(directory, registration).0
}

fn granted(directory: &mut Directory, registration: Registration) -> (ActrId, Grant) {
    try_register(directory, registration, 1).unwrap()
}

fn try_register(
    directory: &mut Directory,
    registration: Registration,
    address: u8,
) -> Result<(ActrId, Grant), DirectoryError> {
    directory.register(registration, from(address), [7; 32], Duration::ZERO, UNIX_NOW)
}

/// The end of a search that nobody interrupts.
fn find(
    directory: &mut Directory,
    asker: &ActrId,
    target: &ActrType,
    fingerprint: &str,
    count: usize,
    now: Duration,
) -> Result<Vec<Candidate>, DirectoryError> {
    let mut search = CandidateSearch::new(asker.clone(), target.clone(), fingerprint, count);
    loop {
        if let Some(found) = search.step(directory, now) {
            return found;
        }
    }
}

/// The fingerprint of the contract that is found under this name.
fn contract(directory: &Directory, asker: &ActrId, name: &str, wanted: Option<&str>) -> Result<String, DirectoryError> {
    let mut search = ContractSearch::new(asker.clone(), name, wanted);
    loop {
        if let Some(found) = search.step(directory, Duration::ZERO) {
            return found.map(|encoded| ServiceSpec::decode(encoded).unwrap().fingerprint);
        }
    }
}

/// The ids of those whose leases are over.
fn expire(directory: &mut Directory, now: Duration) -> Vec<ActrId> {
    directory.expire(now).iter().map(|node| node.id().clone()).collect()
}

fn ask(directory: &mut Directory, asker: &ActrId, number: u8, count: usize) -> Vec<ActrId> {
    let found = find(directory, asker, &actr_type(number), "", count, Duration::ZERO);
    found.unwrap().into_iter().map(|candidate| candidate.id).collect()
}

/// A list with one rule, for askers of type 0.
fn acl(permission: Permission, realm: RealmScope) -> Option<AccessList> {
    let types = vec![actr_type(0)];
    Some(AccessList::from(&Acl {
        rules: vec![AclRule {
            permission,
            types,
            realm,
        }],
    }))
}

/// A list that admits nobody.
fn shut() -> Option<AccessList> {
    Some(AccessList::from(&Acl::default()))
}
