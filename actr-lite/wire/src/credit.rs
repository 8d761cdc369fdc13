//! Flow control of one stream: who may send how many bytes.
//!
//! Both ends start with [`INITIAL_WINDOW`]. A sender with any credit left may send one record, however long: a record
//! longer than the window could never go otherwise. What it overdraws is a debt that later grants pay first. So a
//! receiver holds at most a window and one record of a stream that nobody reads.

use std::time::Duration;

use thiserror::Error;

/// What a sender may send before it has heard of its receiver: enough to keep loopback and a local network busy
/// between two grants, and small enough that a thousand stalled streams fit into a few hundred MiB.
pub const INITIAL_WINDOW: u64 = 256 << 10;

/// How far a window grows while the receiver takes everything at once: beyond a MiB the measured rate does not rise any
/// more.
pub const MAX_WINDOW: u64 = 1 << 20;

/// How long what was taken waits to be granted, however little it is: on a slow link half a window takes minutes, and the
/// sender should know meanwhile that its frames are taken. With it a sender that is busy need not ask whether its peer
/// lives.
pub const GRANT_AFTER: Duration = Duration::from_secs(3);

/// The most credit that a receiver can have given: a peer that grants more breaks the protocol.
const MAX_CREDIT: u64 = 1 << 32;

/// The sender's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendCredit {
    available: u64,
    debt: u64,
}

impl Default for SendCredit {
    fn default() -> Self {
        Self {
            available: INITIAL_WINDOW,
            debt: 0,
        }
    }
}

impl SendCredit {
    /// Whether a record may be sent now.
    pub fn may_send(&self) -> bool {
        self.available > 0
    }

    /// How many bytes may be sent before it has to wait.
    pub fn available(&self) -> u64 {
        self.available
    }

    /// Counts a record of `len` bytes as sent. Call it only when [`Self::may_send`].
    pub fn spend(&mut self, len: u64) {
        debug_assert!(self.may_send(), "a record was sent without credit");
        self.debt += len.saturating_sub(self.available);
        self.available = self.available.saturating_sub(len);
    }

    /// Counts what the receiver granted.
    ///
    /// # Errors
    /// When it is more than a receiver that follows the protocol can ever grant.
    pub fn grant(&mut self, bytes: u64) -> Result<(), CreditError> {
        let paid = self.debt.min(bytes);
        let available = self.available.saturating_add(bytes - paid);
        if available > MAX_CREDIT {
            return Err(CreditError::Overflow { bytes });
        }
        self.debt -= paid;
        self.available = available;
        debug_assert!(self.available == 0 || self.debt == 0);
        Ok(())
    }
}

/// The receiver's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveWindow {
    /// How much may be on its way or waiting at once.
    window: u64,
    /// What the sender may still send, as far as this side knows.
    credit: SendCredit,
    /// What has arrived and was not taken yet.
    waiting: u64,
    /// What was taken and not granted again yet.
    taken: u64,
    /// When something was granted for the last time, or taken for the first.
    granted_at: Option<Duration>,
}

impl Default for ReceiveWindow {
    fn default() -> Self {
        Self {
            window: INITIAL_WINDOW,
            credit: SendCredit::default(),
            waiting: 0,
            taken: 0,
            granted_at: None,
        }
    }
}

impl ReceiveWindow {
    /// Counts records that came, `len` bytes in all, the last of them `last_len`.
    ///
    /// # Errors
    /// When the sender had no credit for the last one.
    pub fn receive(&mut self, len: u64, last_len: u64) -> Result<(), CreditError> {
        debug_assert!(last_len <= len);
        let before_last = len - last_len;
        if self.credit.available <= before_last {
            return Err(CreditError::Violated {
                over: before_last - self.credit.available,
            });
        }
        self.credit.spend(len);
        self.waiting += len;
        Ok(())
    }

    /// Counts `len` bytes of records as taken by the application. Returns what to grant now, if it is worth a record.
    ///
    /// `grow` is asked if the window would do better with this much more, and says how much more it gets: what a connection
    /// and a peer may have altogether is known elsewhere. `now` is the time since any fixed moment of a clock that never
    /// goes back.
    pub fn take(&mut self, len: u64, grow: impl FnOnce(u64) -> u64, now: Duration) -> Option<u64> {
        debug_assert!(len <= self.waiting);
        self.waiting -= len;
        self.taken += len;
        let granted_at = *self.granted_at.get_or_insert(now);
        let is_little = self.taken < self.window / 2 && self.credit.may_send();
        if is_little && now.saturating_sub(granted_at) < GRANT_AFTER {
            return None;
        }
        self.granted_at = Some(now);
        // A receiver that has taken everything is faster than what comes: the window may be what holds the sender up.
        let wanted = self.window.min(MAX_WINDOW.saturating_sub(self.window));
        let grown = if self.waiting == 0 && !is_little && wanted > 0 {
            grow(wanted).min(wanted)
        } else {
            0
        };
        self.window += grown;
        let bytes = self.taken + grown;
        self.taken = 0;
        // Own grants can't overflow: they are bounded by the window.
        let _ = self.credit.grant(bytes);
        Some(bytes)
    }

    /// What has arrived and was not taken yet, in bytes of records.
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// How much this window has grown.
    pub fn grown(&self) -> u64 {
        self.window - INITIAL_WINDOW
    }
}

/// How a peer broke the flow control.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CreditError {
    /// The receiver granted more than there can be.
    #[error("the receiver granted {bytes} bytes, more than any window allows")]
    Overflow {
        /// The grant.
        bytes: u64,
    },
    /// The sender sent without credit.
    #[error("the sender sent {over} bytes more than its credit before it sent another record")]
    Violated {
        /// By how much.
        over: u64,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn freely(wanted: u64) -> u64 {
        wanted
    }

    #[derive(Debug, Clone)]
    enum Step {
        Send(u64),
        Deliver,
        Take,
        DeliverGrant,
        Pause,
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (5..400u64).prop_map(Step::Send),
            (INITIAL_WINDOW - 2..INITIAL_WINDOW + 3).prop_map(Step::Send),
            (1..8 * MAX_WINDOW).prop_map(Step::Send),
            (10_000..100_000u64).prop_map(Step::Send),
            Just(Step::Deliver),
            Just(Step::Take),
            Just(Step::DeliverGrant),
            Just(Step::Pause),
        ]
    }

    /// A sender, a receiver and what is on its way between them; beside it the plain sums that must hold.
    #[derive(Default)]
    struct Pair {
        sender: SendCredit,
        receiver: ReceiveWindow,
        records: VecDeque<u64>,
        inbox: VecDeque<u64>,
        grants: VecDeque<u64>,
        sent: u64,
        delivered: u64,
        taken: u64,
        granted: u64,
        longest: u64,
        now: Duration,
    }

    impl Pair {
        fn step(&mut self, step: &Step) -> bool {
            match step {
                Step::Send(len) if self.sender.may_send() => {
                    self.sender.spend(*len);
                    self.records.push_back(*len);
                    self.sent += len;
                    self.longest = self.longest.max(*len);
                }
                Step::Deliver if !self.records.is_empty() => {
                    let len = self.records.pop_front().unwrap();
                    self.receiver.receive(len, len).unwrap();
                    self.inbox.push_back(len);
                    self.delivered += len;
                }
                Step::Take if !self.inbox.is_empty() => {
                    let len = self.inbox.pop_front().unwrap();
                    self.taken += len;
                    if let Some(bytes) = self.receiver.take(len, freely, self.now) {
                        self.grants.push_back(bytes);
                        self.granted += bytes;
                    }
                }
                Step::DeliverGrant if !self.grants.is_empty() => {
                    self.sender.grant(self.grants.pop_front().unwrap()).unwrap();
                }
                Step::Pause => self.now += Duration::from_secs(1),
                _ => return false,
            }
            true
        }

        fn check(&self) {
            // Nothing is made or lost: what the sender has is the initial window and the grants less what it sent.
            let on_way: u64 = self.grants.iter().sum();
            let balance = (INITIAL_WINDOW + self.granted - on_way) as i128 - self.sent as i128;
            assert_eq!(self.sender.available as i128 - self.sender.debt as i128, balance);
            assert!(self.sender.available == 0 || self.sender.debt == 0);
            // The receiver never holds more than a window and one record.
            assert_eq!(self.receiver.waiting(), self.delivered - self.taken);
            assert!(self.sent - self.taken <= MAX_WINDOW + self.longest);
            assert!(INITIAL_WINDOW + self.receiver.grown() <= MAX_WINDOW);
        }
    }

    proptest! {
        #[test]
        fn credit_is_neither_made_nor_lost_and_no_schedule_gets_stuck(steps in vec(any_step(), 0..200)) {
            let mut pair = Pair::default();
            for step in &steps {
                pair.step(step);
                pair.check();
            }
            while [Step::Deliver, Step::Take, Step::DeliverGrant].iter().any(|step| pair.step(step)) {
                pair.check();
            }
            prop_assert!(pair.sender.may_send(), "all was taken and granted, yet the sender may not send");
            prop_assert_eq!(pair.sent, pair.taken);
        }

        #[test]
        fn a_batch_counts_like_its_records(lens in vec(5..70_000u64, 1..40)) {
            let (mut batch, mut single) = (ReceiveWindow::default(), ReceiveWindow::default());
            let (sum, last) = (lens.iter().sum(), *lens.last().unwrap());
            let singly = lens.iter().try_for_each(|len| single.receive(*len, *len));
            prop_assert_eq!(batch.receive(sum, last).is_ok(), singly.is_ok());
            if singly.is_ok() {
                prop_assert_eq!(batch, single);
            }
        }
    }

    #[test]
    fn a_sender_without_credit_is_noticed() {
        let mut receiver = ReceiveWindow::default();
        receiver.receive(INITIAL_WINDOW, 10).unwrap();
        assert_eq!(receiver.receive(10, 10), Err(CreditError::Violated { over: 0 }));
    }

    #[test]
    fn an_error_says_by_how_much_a_sender_overdrew() {
        let mut receiver = ReceiveWindow::default();
        receiver.receive(INITIAL_WINDOW - 10, 10).unwrap();
        assert_eq!(receiver.receive(45, 15), Err(CreditError::Violated { over: 20 }));
        // The last record may overdraw.
        receiver.receive(24, 15).unwrap();
        assert_eq!(receiver.waiting(), INITIAL_WINDOW + 14);
    }

    #[test]
    fn a_grant_up_to_the_most_there_can_be_is_accepted() {
        let mut sender = SendCredit::default();
        assert_eq!(sender.grant(MAX_CREDIT - INITIAL_WINDOW), Ok(()));
        assert_eq!(sender.grant(1), Err(CreditError::Overflow { bytes: 1 }));
        sender.spend(1);
        assert_eq!(sender.grant(1), Ok(()));
    }

    #[test]
    fn half_a_window_is_granted_and_less_is_not() {
        let mut receiver = ReceiveWindow::default();
        receiver.receive(INITIAL_WINDOW - 1, 1).unwrap();
        assert_eq!(receiver.take(INITIAL_WINDOW / 2 - 1, |_| 0, Duration::ZERO), None);
        let granted = receiver.take(1, |_| 0, Duration::ZERO);
        assert_eq!((granted, receiver.grown()), (Some(INITIAL_WINDOW / 2), 0));
    }

    #[test]
    fn a_sender_without_credit_gets_the_little_that_was_taken() {
        let mut receiver = ReceiveWindow::default();
        receiver.receive(INITIAL_WINDOW, 1).unwrap();
        let granted = receiver.take(1, freely, Duration::ZERO);
        assert_eq!((granted, receiver.grown()), (Some(1), 0));
        assert_eq!(receiver.waiting(), INITIAL_WINDOW - 1);
    }

    #[test]
    fn little_is_granted_as_soon_as_the_time_is_over() {
        let mut receiver = ReceiveWindow::default();
        receiver.receive(30, 10).unwrap();
        assert_eq!(receiver.take(10, |_| 0, GRANT_AFTER), None);
        assert_eq!(
            receiver.take(10, |_| 0, 2 * GRANT_AFTER - Duration::from_nanos(1)),
            None
        );
        assert_eq!(receiver.take(5, |_| 0, 2 * GRANT_AFTER), Some(25));
        assert_eq!(receiver.take(5, |_| 0, 3 * GRANT_AFTER - Duration::from_nanos(1)), None);
    }

    #[test]
    fn a_window_grows_to_its_limit_and_no_further() {
        let mut receiver = ReceiveWindow::default();
        let mut grown = Vec::new();
        for _ in 0..4 {
            let window = INITIAL_WINDOW + receiver.grown();
            receiver.receive(window, 1).unwrap();
            let granted = receiver.take(window, freely, Duration::ZERO);
            let more = INITIAL_WINDOW + receiver.grown() - window;
            assert_eq!(granted, Some(window + more));
            grown.push(more);
        }
        assert_eq!(grown, [INITIAL_WINDOW, 2 * INITIAL_WINDOW, 0, 0]);
        assert_eq!(receiver.grown(), MAX_WINDOW - INITIAL_WINDOW);
    }

    #[test]
    fn an_absurd_grant_is_refused() {
        let mut sender = SendCredit::default();
        assert_eq!(sender.grant(u64::MAX), Err(CreditError::Overflow { bytes: u64::MAX }));
        assert!(sender.may_send());
    }

    #[test]
    fn a_window_grows_only_while_the_receiver_starves() {
        let mut receiver = ReceiveWindow::default();
        receiver.receive(INITIAL_WINDOW, 1).unwrap();
        // A slow reader takes it bit by bit: the sender gets credit back before the reader runs dry.
        let granted = receiver.take(INITIAL_WINDOW / 2, freely, Duration::ZERO);
        assert_eq!((granted, receiver.grown()), (Some(INITIAL_WINDOW / 2), 0));
        // A fast one empties it while the sender may not send.
        receiver.receive(INITIAL_WINDOW / 2, 1).unwrap();
        let granted = receiver.take(INITIAL_WINDOW, freely, Duration::ZERO);
        assert_eq!(granted, Some(2 * INITIAL_WINDOW));
        assert_eq!(receiver.grown(), INITIAL_WINDOW);
    }

    #[test]
    fn a_window_does_not_grow_beyond_what_it_gets() {
        let mut receiver = ReceiveWindow::default();
        receiver.receive(INITIAL_WINDOW, 1).unwrap();
        let granted = receiver.take(INITIAL_WINDOW, |wanted| wanted.min(10), Duration::ZERO);
        assert_eq!((granted, receiver.grown()), (Some(INITIAL_WINDOW + 10), 10));
    }

    #[test]
    fn what_is_taken_slowly_is_granted_within_seconds() {
        let (mut receiver, mut granted) = (ReceiveWindow::default(), Vec::new());
        for second in 0..30 {
            receiver.receive(1000, 1000).unwrap();
            granted.extend(receiver.take(1000, freely, Duration::from_secs(second)));
            assert_eq!(receiver.grown(), 0, "time is no reason to grow");
        }
        assert_eq!(granted, [[4000].as_slice(), &[3000; 8]].concat());
    }
}
