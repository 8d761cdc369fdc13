/// How far behind the latest number one may come late: a node dials many others at once, and what it sends to one of
/// them may overtake.
const WIDTH: u64 = u128::BITS as u64;

/// Which numbers of one prover were taken: the sliding window of RFC 4303 §3.4.3. What is too old to tell counts as taken.
#[derive(Debug, Clone)]
pub struct ReplayWindow {
    latest: u64,
    /// Bit n: the number that is n below the latest.
    taken: u128,
}

impl Default for ReplayWindow {
    /// Nothing was taken. Provers count from 1.
    fn default() -> Self {
        Self { latest: 0, taken: 1 }
    }
}

impl ReplayWindow {
    /// Takes a number; false if it was taken before, or may have been.
    #[must_use = "a number that was taken before is a replay"]
    pub fn take(&mut self, number: u64) -> bool {
        if number > self.latest {
            let step = number - self.latest;
            self.taken = if step < WIDTH { self.taken << step } else { 0 };
            self.taken |= 1;
            self.latest = number;
            return true;
        }
        let age = self.latest - number;
        if age >= WIDTH {
            return false;
        }
        let bit = 1 << age;
        let is_new = self.taken & bit == 0;
        self.taken |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_taken_once_and_only_while_it_is_recent(
            numbers in vec(prop_oneof![0..300u64, any::<u64>(), Just(u64::MAX)], 0..400),
        ) {
            let (mut window, mut taken, mut latest) = (ReplayWindow::default(), HashSet::from([0]), 0);
            for number in numbers {
                let is_recent = number > latest || latest - number < WIDTH;
                prop_assert_eq!(window.take(number), is_recent && taken.insert(number));
                latest = latest.max(number);
            }
        }
    }
}
