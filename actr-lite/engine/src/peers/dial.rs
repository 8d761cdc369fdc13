//! The way of one connection to a peer, from its address to the answer to the upgrade.

use std::time::Duration;

use crate::peers::addresses::{DOUBT_TIMEOUT, LookUp};

/// How long a dial waits for its turn where too many come: less than what waits for the dial has left as a rule.
pub const LONGEST_TURN: Duration = Duration::from_secs(5);

/// How long the upgrade may take on a connection that is there: several round trips around the world.
pub const UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection that is being made.
///
/// Times are those since any fixed moment of a clock that never goes back.
#[derive(Debug, Clone)]
pub struct Dial<Address> {
    next: Action<Address>,
    address: Option<Address>,
    /// When the next wait for its turn would be too long.
    gives_up_at: Option<Duration>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<Address> {
    /// To ask the registry where the peer listens; with a timeout if there is an address to go on with.
    Ask {
        /// How long to wait for its answer.
        timeout: Option<Duration>,
    },
    /// To connect there, and to ask for the upgrade.
    Connect(Address),
    /// To wait until this time: too many come.
    Wait(Duration),
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The peer does not admit this node.
    Denied,
    /// The peer is dialled too often, and takes connections again after this time.
    TooOften(Duration),
    /// Any other reason: nothing listens there, or not the peer, or it does not answer.
    Unreachable,
}

/// A dial has come to its end without a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// The peer may listen elsewhere.
    pub doubts_address: bool,
}

impl<Address: Clone> Dial<Address> {
    /// To a peer of which this is known.
    pub fn new(look_up: LookUp<Address>) -> Self {
        let (next, address) = match look_up {
            LookUp::Known(address) => (Action::Connect(address), None),
            LookUp::Doubtful(address) => {
                let timeout = Some(DOUBT_TIMEOUT);
                (Action::Ask { timeout }, Some(address))
            }
            LookUp::Unknown => (Action::Ask { timeout: None }, None),
        };
        Self {
            next,
            address,
            gives_up_at: None,
        }
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Duration) -> Action<Address> {
        if let (Action::Wait(until), Some(address)) = (&self.next, &self.address)
            && now >= *until
        {
            self.next = Action::Connect(address.clone());
        }
        if let Action::Connect(address) = &self.next {
            self.gives_up_at.get_or_insert(now + LONGEST_TURN);
            self.address = Some(address.clone());
        }
        self.next.clone()
    }

    /// The registry has told where the peer listens.
    pub fn told(&mut self, address: Address) {
        self.next = Action::Connect(address);
    }

    /// The registry does not answer in time. False: there is no address to go on with.
    pub fn not_told(&mut self) -> bool {
        let address = self.address.clone();
        address.map(|address| self.told(address)).is_some()
    }

    /// There is no connection. `jitter` is random, from 0 to 1: others were told the same, and are not to come all at
    /// once.
    ///
    /// # Errors
    /// When it is not to be tried again.
    pub fn failed(&mut self, failure: Failure, now: Duration, jitter: f64) -> Result<(), GivenUp> {
        let given_up = GivenUp {
            doubts_address: failure != Failure::Denied,
        };
        let Failure::TooOften(wait) = failure else {
            return Err(given_up);
        };
        let until = now + wait.min(LONGEST_TURN).mul_f64(1.0 + jitter);
        if self.gives_up_at.is_none_or(|gives_up_at| until > gives_up_at) {
            return Err(given_up);
        }
        self.next = Action::Wait(until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_address_is_asked_for_unless_it_is_known() {
        let mut dial = Dial::new(LookUp::Known("here"));
        assert_eq!(dial.next(at(0)), Action::Connect("here"));
        let mut dial = Dial::new(LookUp::Unknown);
        assert_eq!(dial.next(at(0)), Action::Ask { timeout: None });
        assert!(!dial.not_told());
        dial.told("there");
        assert_eq!(dial.next(at(0)), Action::Connect("there"));
    }

    #[test]
    fn a_doubtful_address_is_good_enough_if_nobody_knows_better() {
        let mut dial = Dial::new(LookUp::Doubtful("here"));
        let ask = Action::Ask {
            timeout: Some(DOUBT_TIMEOUT),
        };
        assert_eq!(dial.next(at(0)), ask);
        let mut told = dial.clone();
        assert!(dial.not_told());
        assert_eq!(dial.next(at(1000)), Action::Connect("here"));
        told.told("there");
        assert_eq!(told.next(at(0)), Action::Connect("there"));
    }

    #[test]
    fn it_comes_again_when_the_peer_says_if_that_makes_sense() {
        let mut dial = Dial::new(LookUp::Known("here"));
        assert_eq!(dial.next(at(100)), Action::Connect("here"));
        assert_eq!(dial.failed(Failure::TooOften(at(1000)), at(200), 0.5), Ok(()));
        assert_eq!(dial.next(at(1699)), Action::Wait(at(1700)));
        assert_eq!(dial.next(at(1700)), Action::Connect("here"));
        let mut last = dial.clone();
        assert_eq!(
            last.failed(Failure::TooOften(at(3000)), at(2100), 0.0),
            Ok(()),
            "just in time"
        );
        let given_up = Err(GivenUp { doubts_address: true });
        assert_eq!(dial.failed(Failure::TooOften(at(3000)), at(2101), 0.0), given_up);
    }

    #[test]
    fn who_is_not_admitted_has_found_the_right_address() {
        let mut dial = Dial::new(LookUp::Known("here"));
        dial.next(at(0));
        let given_up = |doubts_address| Err(GivenUp { doubts_address });
        assert_eq!(dial.failed(Failure::Denied, at(1), 0.0), given_up(false));
        assert_eq!(dial.failed(Failure::Unreachable, at(1), 0.0), given_up(true));
    }

    proptest! {
        #[test]
        fn it_ends_in_time_and_never_comes_before_it_may(refusals in vec((0u64..7000, 0.0..=1.0f64, 0u64..300), 1..50)) {
            let mut dial = Dial::new(LookUp::Known(()));
            let mut now = at(0);
            prop_assert_eq!(dial.next(now), Action::Connect(()));
            for (wait, jitter, took) in refusals {
                now += at(took);
                if dial.failed(Failure::TooOften(at(wait)), now, jitter).is_err() {
                    prop_assert!(now + 2 * at(wait) > LONGEST_TURN);
                    break;
                }
                if let Action::Wait(until) = dial.next(now) {
                    prop_assert!(until >= now + at(wait) && until <= LONGEST_TURN);
                    now = until;
                }
                prop_assert_eq!(dial.next(now), Action::Connect(()));
            }
        }
    }
}
