use std::collections::HashMap;

use actr_lite_wire::identity::ActrType;

use crate::realms::SecretNumber;

/// How many types are remembered: a few hundred are many, and a node can register any number.
const MAX_TYPES: usize = 4096;

/// How many that have registered one type are remembered.
const MAX_HOLDERS: usize = 16;

/// Who has ever registered a type: as far as a registry can tell them apart, by realm and secret.
#[derive(Debug, Default)]
pub(super) struct TypeHolders {
    by_type: HashMap<ActrType, Vec<Holder>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Holder {
    realm_id: u32,
    secret: Option<SecretNumber>,
}

impl TypeHolders {
    /// The realms of those who have registered a type, if there are any, and none of them is like this one.
    pub(super) fn others(&self, actr_type: &ActrType, realm_id: u32, secret: Option<SecretNumber>) -> Option<Vec<u32>> {
        let holders = self.by_type.get(actr_type)?;
        if holders.contains(&Holder { realm_id, secret }) {
            return None;
        }
        let mut realms: Vec<u32> = holders.iter().map(|holder| holder.realm_id).collect();
        realms.dedup();
        Some(realms)
    }

    /// Somebody has registered a type.
    pub(super) fn registered(&mut self, actr_type: &ActrType, realm_id: u32, secret: Option<SecretNumber>) {
        let holder = Holder { realm_id, secret };
        if let Some(holders) = self.by_type.get_mut(actr_type) {
            if holders.contains(&holder) {
                return;
            }
            if holders.len() == MAX_HOLDERS {
                holders.remove(0);
            }
            holders.push(holder);
            return;
        }
        if self.by_type.len() >= MAX_TYPES
            && let Some(forgotten) = self.by_type.keys().next().cloned()
        {
            self.by_type.remove(&forgotten);
        }
        self.by_type.insert(actr_type.clone(), vec![holder]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_registration_of_somebody_new_takes_over() {
        let (mut holders, server): (_, ActrType) = (TypeHolders::default(), "acme:Server:1.0.0".parse().unwrap());
        let [first, second] = [1, 2].map(SecretNumber);
        for (realm_id, secret, others) in [
            (1, Some(first), None),
            (1, Some(first), None),
            (1, Some(second), Some(vec![1])),
            (2, None, Some(vec![1])),
            (3, None, Some(vec![1, 2])),
            (1, Some(second), None),
            (2, None, None),
        ] {
            assert_eq!(
                holders.others(&server, realm_id, secret),
                others,
                "{realm_id} {secret:?}"
            );
            holders.registered(&server, realm_id, secret);
        }
    }

    #[test]
    fn memory_is_bounded_whatever_is_registered() {
        let mut holders = TypeHolders::default();
        for number in 0..2 * MAX_TYPES {
            let actr_type = format!("acme:Server{number}:1.0.0").parse().unwrap();
            holders.registered(&actr_type, 1, None);
        }
        let server = "acme:Server:1.0.0".parse().unwrap();
        for realm_id in 0..1000 {
            holders.registered(&server, realm_id, None);
        }
        assert_eq!(holders.by_type.len(), MAX_TYPES);
        assert_eq!(holders.by_type[&server].len(), MAX_HOLDERS);
    }
}
