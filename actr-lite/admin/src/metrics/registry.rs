use std::fmt;

use super::families::Families;
use crate::counts::RegistryCounts;

/// The most realms that are told apart, those with the most nodes: anybody may register in any realm of an open registry.
const MAX_REALMS: usize = 50;

/// What a registry has done.
pub(super) fn write(families: &mut Families<'_>, counts: &RegistryCounts) -> fmt::Result {
    let nodes = by_realm(counts);
    let nodes = nodes
        .iter()
        .map(|(realm, count)| (vec![("realm", realm.as_str())], *count));
    families.gauge("actr_registry_nodes", "Registered nodes", nodes)?;
    let refused = counts.registrations_refused.iter();
    let refused = refused.map(|(reason, count)| (vec![("reason", *reason)], *count));
    families.counter(
        "actr_registry_registrations_refused",
        "Registrations that were refused",
        refused,
    )?;
    for (name, help, count) in [
        (
            "actr_registry_registrations",
            "Nodes that were registered",
            counts.registrations,
        ),
        (
            "actr_registry_renewals",
            "Credentials that were renewed",
            counts.renewals,
        ),
        (
            "actr_registry_renewals_refused",
            "Credentials that were not renewed",
            counts.renewals_refused,
        ),
        ("actr_registry_nodes_left", "Nodes that have left in order", counts.left),
        (
            "actr_registry_leases_expired",
            "Nodes that were forgotten, as they gave no sign of life",
            counts.leases_expired,
        ),
    ] {
        families.counter(name, help, [(vec![], count)])?;
    }
    let result = |word| vec![("result", word)];
    let relays = [
        (result("passed"), counts.relays_passed),
        (result("refused"), counts.relays_refused),
    ];
    families.counter(
        "actr_registry_relays",
        "Messages from node to node by way of the registry",
        relays,
    )?;
    let age = [(vec![], counts.newest_key_age.as_secs_f64())];
    families.gauge(
        "actr_registry_signing_key_age_seconds",
        "For how long the newest key has signed",
        age,
    )?;
    for (name, help, count) in [
        (
            "actr_registry_connections",
            "Open signaling connections",
            counts.connections,
        ),
        (
            "actr_registry_stored_bytes",
            "Memory for what nodes have stored, as it is counted",
            counts.stored_bytes,
        ),
        (
            "actr_registry_signing_keys",
            "Keys whose credentials are valid",
            counts.signing_keys,
        ),
    ] {
        families.gauge(name, help, [(vec![], count)])?;
    }
    let reached = counts
        .limits_reached
        .iter()
        .map(|(key, count)| (vec![("key", key.as_str())], *count));
    families.counter(
        "actr_registry_limits_reached",
        "How often a limit of the registry was reached, by its key",
        reached,
    )?;
    let kinds = counts.misbehaviour.by_kind();
    let kinds = kinds.iter().map(|(kind, count)| (vec![("kind", kind.word())], *count));
    families.counter(
        "actr_registry_misbehaviour",
        "Connections to the registry that misbehaved, by what they did",
        kinds,
    )
}

/// The nodes of the largest realms, and those of all others.
fn by_realm(counts: &RegistryCounts) -> Vec<(String, u64)> {
    let mut realms: Vec<_> = counts.nodes_by_realm.iter().collect();
    realms.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let others = realms.split_off(realms.len().min(MAX_REALMS));
    let mut nodes: Vec<_> = realms
        .into_iter()
        .map(|(realm, count)| (realm.to_string(), *count))
        .collect();
    if !others.is_empty() {
        nodes.push(("other".into(), others.into_iter().map(|(_, count)| count).sum()));
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realms_beyond_the_largest_are_one() {
        let counts = RegistryCounts {
            nodes_by_realm: (0..1000).map(|realm| (realm, u64::from(realm))).collect(),
            ..RegistryCounts::default()
        };
        let nodes = by_realm(&counts);
        assert_eq!((nodes.len(), nodes[0].clone()), (MAX_REALMS + 1, ("999".into(), 999)));
        assert_eq!(nodes.iter().map(|(_, count)| count).sum::<u64>(), 999 * 500);
    }
}
