//! What is missing, doubled or out of order in a stream.

/// Lets each frame of a reliable stream through once and in order, from any sender.
///
/// A sender that takes a stream over may start again from the beginning: what came before is dropped. A frame that
/// arrives too early means that others are lost, and with them the rest of this sender's stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SequenceFilter {
    last: u64,
    duplicates: u64,
    /// Whether a frame was let through: only the first one may have the number 0.
    has_begun: bool,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// It is the next one.
    Deliver,
    /// It arrived before: drop it.
    Duplicate,
    /// Frames before it are missing: this sender's stream is of no use any more.
    Gap {
        /// The number that should have come.
        expected: u64,
    },
}

impl SequenceFilter {
    /// For a stream whose frames up to `last` have already arrived; 0 if none has.
    pub fn behind(last: u64) -> Self {
        Self {
            last,
            duplicates: 0,
            has_begun: last > 0,
        }
    }

    /// Checks the number of a frame. Numbers count from 1; a sender that counts from 0 is accepted too.
    #[inline]
    pub fn observe(&mut self, sequence: u64) -> Observed {
        // There is no number after the highest: any further frame arrived before.
        let expected = self.last.saturating_add(1);
        let is_next = sequence == expected && sequence > self.last;
        if is_next || (sequence == 0 && !self.has_begun) {
            self.last = sequence;
            self.has_begun = true;
            return Observed::Deliver;
        }
        if sequence <= self.last {
            self.duplicates += 1;
            return Observed::Duplicate;
        }
        Observed::Gap { expected }
    }

    /// The number of the last frame that was let through, or of the one behind which the stream began.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether a frame was let through, or had been before.
    pub fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// How many frames were dropped because they had come before.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

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
    /// It arrived before, or arrives late.
    Repeated,
}

impl SequenceTally {
    /// Of a stream of which the frames up to the number `last` came already: none of those is missing.
    pub fn behind(last: u64) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

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

    proptest! {
        #[test]
        fn a_filter_lets_each_number_through_once_in_order(numbers in vec(0..25u64, 0..200), behind in 0..5u64) {
            let mut filter = SequenceFilter::behind(behind);
            let (mut passed, mut dropped) = (Vec::new(), 0);
            for number in numbers {
                let next = passed.last().map_or(behind, |last| *last) + 1;
                match filter.observe(number) {
                    Observed::Deliver => passed.push(number),
                    Observed::Duplicate => {
                        prop_assert!(number < next);
                        dropped += 1;
                    }
                    Observed::Gap { expected } => {
                        prop_assert_eq!(expected, next);
                        prop_assert!(number > next);
                    }
                }
            }
            let from_zero = passed.first() == Some(&0);
            prop_assert!(!from_zero || behind == 0);
            let first = if from_zero { 0 } else { behind + 1 };
            prop_assert_eq!(&passed, &(first..).take(passed.len()).collect::<Vec<_>>());
            prop_assert_eq!(filter.last(), passed.last().copied().unwrap_or(behind));
            prop_assert_eq!(filter.duplicates(), dropped);
        }
    }

    #[test]
    fn only_a_stream_that_has_not_begun_may_begin_with_0() {
        let mut filter = SequenceFilter::behind(0);
        assert!(!filter.has_begun());
        assert_eq!(filter.observe(0), Observed::Deliver);
        assert!(filter.has_begun());
        assert_eq!(filter.observe(0), Observed::Duplicate);
        let mut filter = SequenceFilter::behind(1);
        assert!(filter.has_begun());
        assert_eq!(filter.observe(0), Observed::Duplicate);
    }

    #[test]
    fn a_filter_does_not_wrap_around_at_the_highest_number() {
        let mut filter = SequenceFilter::behind(u64::MAX);
        assert_eq!(filter.observe(u64::MAX), Observed::Duplicate);
        assert_eq!(filter.observe(0), Observed::Duplicate);
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

    #[test]
    fn a_stream_is_complete_if_all_came_once_in_order() {
        let is_complete = |numbers: &[u64], expected| {
            let mut tally = SequenceTally::default();
            for number in numbers {
                tally.observe(*number);
            }
            tally.is_complete(expected)
        };
        assert!(is_complete(&[], 0));
        assert!(is_complete(&[1, 2, 3], 3));
        assert!(!is_complete(&[1, 3], 3), "one is missing");
        assert!(!is_complete(&[1, 2, 4], 3), "one is too many");
        assert!(!is_complete(&[1, 3, 2], 3), "one is late");
    }
}
