//! What is missing, doubled or out of order in a stream.

/// Follows the sequence numbers of a stream, which count from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceTally {
    last: u64,
    received: u64,
    skipped: u64,
    out_of_order: u64,
}

/// What a sequence number means after those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next one.
    InOrder,
    /// So many before it have not come.
    Gap(u64),
    /// One that came before, or comes late.
    Repeated,
}

impl SequenceTally {
    /// Counts a frame.
    pub fn observe(&mut self, sequence: u64) -> Arrival {
        self.received += 1;
        if sequence <= self.last {
            self.out_of_order += 1;
            return Arrival::Repeated;
        }
        let gap = sequence - self.last - 1;
        self.last = sequence;
        self.skipped += gap;
        if gap == 0 { Arrival::InOrder } else { Arrival::Gap(gap) }
    }

    /// The highest sequence number so far; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Frames counted, whatever their order.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Frames that came after one with a higher or the same number.
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// How many of the frames 1 to `expected` have not come in their order.
    pub fn missing(&self, expected: u64) -> u64 {
        self.skipped + expected.saturating_sub(self.last)
    }

    /// Whether exactly the frames 1 to `expected` came, each once and in order.
    pub fn is_complete(&self, expected: u64) -> bool {
        self.received == expected && self.last == expected && self.out_of_order == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_look_at_the_whole_list(numbers in vec(1..20u64, 0..30), expected in 0..25u64) {
            let mut tally = SequenceTally::default();
            for number in &numbers {
                tally.observe(*number);
            }
            let rising: Vec<u64> = numbers.iter().enumerate()
                .filter(|(at, number)| numbers[..*at].iter().all(|before| before < number))
                .map(|(_, number)| *number)
                .collect();
            let highest = rising.last().copied().unwrap_or(0);
            let absent = (1..=highest.max(expected)).filter(|number| !rising.contains(number)).count();
            prop_assert_eq!(tally.last(), highest);
            prop_assert_eq!(tally.received(), numbers.len() as u64);
            prop_assert_eq!(tally.out_of_order(), (numbers.len() - rising.len()) as u64);
            prop_assert_eq!(tally.missing(expected), absent as u64);
            prop_assert_eq!(tally.is_complete(expected), numbers == (1..=expected).collect::<Vec<_>>());
        }
    }

    #[test]
    fn each_arrival_is_named() {
        let mut tally = SequenceTally::default();
        assert_eq!(tally.observe(1), Arrival::InOrder);
        assert_eq!(tally.observe(4), Arrival::Gap(2));
        assert_eq!(tally.observe(4), Arrival::Repeated);
        assert_eq!(tally.observe(3), Arrival::Repeated);
        assert_eq!(tally.observe(5), Arrival::InOrder);
    }
}
