use crate::candidate::{Candidate, PublishedContract};

/// Of how many candidates at least any may be the first: of two that are equal each gets half of those who ask.
const MIN_EQUALS: usize = 2;

/// Orders candidates so that those who ask at once don't all go to the same one. Each draw is any number at random.
///
/// Our registry takes turns among candidates with the same load. Others name them in a fixed order, and tell no loads: what
/// they know is as old as the last heartbeats. So the better half of what they name counts as equal, and the rest comes
/// after it as it was named.
pub(crate) fn spread(candidates: &mut [Candidate], mut draw: impl FnMut() -> u64) {
    if candidates
        .iter()
        .any(|candidate| candidate.contract != PublishedContract::NotTold)
    {
        return;
    }
    let equals = candidates.len().div_ceil(2).max(MIN_EQUALS).min(candidates.len());
    // A shuffle (Fisher and Yates).
    for last in (1..equals).rev() {
        let places = last as u64 + 1;
        let chosen = usize::try_from(draw() % places).unwrap_or_default();
        candidates.swap(chosen, last);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actr_lite_wire::identity::ActrId;

    use super::*;

    fn candidates(count: u64, contract: &PublishedContract) -> Vec<Candidate> {
        let candidate = |serial| Candidate {
            id: ActrId::new(1, serial, "acme+Server".parse().unwrap()),
            ws_address: None,
            contract: contract.clone(),
        };
        (1..=count).map(candidate).collect()
    }

    /// In which orders so many are, with all draws below 12, and how often.
    fn orders(count: u64) -> BTreeMap<Vec<u64>, usize> {
        let mut orders = BTreeMap::new();
        for draws in 0..12_u64.pow(3) {
            let mut draws = [draws % 12, draws / 12 % 12, draws / 144].into_iter();
            let mut spread_out = candidates(count, &PublishedContract::NotTold);
            spread(&mut spread_out, || draws.next().unwrap());
            let order = spread_out
                .iter()
                .map(|candidate| candidate.id.serial_number())
                .collect();
            *orders.entry(order).or_default() += 1;
        }
        orders
    }

    #[test]
    fn of_two_equal_servers_each_gets_half_of_the_clients() {
        let all = 12_usize.pow(3);
        assert_eq!(
            orders(2),
            BTreeMap::from([(vec![1, 2], all / 2), (vec![2, 1], all / 2)])
        );
    }

    #[test]
    fn the_better_half_is_in_any_order_and_the_rest_as_named() {
        let orders = orders(8);
        assert_eq!(orders.len(), 24, "each order of four");
        assert!(orders.values().all(|count| *count == 12_usize.pow(3) / 24), "as often");
        assert!(orders.keys().all(|order| order[4..] == [5, 6, 7, 8]));
    }

    #[test]
    fn a_registry_that_takes_turns_is_followed() {
        let told = candidates(4, &PublishedContract::Fingerprint("same".into()));
        let mut ordered = told.clone();
        spread(&mut ordered, || 0);
        assert_eq!(ordered, told);
        spread(&mut [], || 0);
    }
}
