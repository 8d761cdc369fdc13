use std::{collections::VecDeque, net::SocketAddr, time::Duration};

/// How long one attempt may take before the next address is tried beside it: what RFC 8305 §5 recommends.
pub const STAGGER: Duration = Duration::from_millis(250);

/// How long connecting to one address may take: a lost SYN is sent again after 1 s, and the second one after 2 s more.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The most addresses of a name that are tried: all attempts are over within 5 s then, as long as a request to a registry
/// waits.
pub const MAX_ADDRESSES: usize = 8;

/// Which of a name's addresses is tried when. Times are counted from the beginning of the race.
#[derive(Debug)]
pub(crate) struct Race {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    /// When the next address is tried, if no attempt fails before.
    next_start: Duration,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Try this address, beside those that are being tried, and ask again.
    Try(SocketAddr),
    /// Ask again at this time, or when an attempt has failed.
    WaitUntil(Duration),
    /// Ask again when an attempt has failed.
    WaitForAttempts,
    /// All have failed.
    Over,
}

impl Race {
    /// A race between `addresses`, in the resolver's order (RFC 6724) but with their families in turns.
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self {
            waiting: in_turns(addresses),
            running: 0,
            next_start: Duration::ZERO,
        }
    }

    /// What to do at the time `now`.
    pub(crate) fn step(&mut self, now: Duration) -> Step {
        if self.running > 0 && now < self.next_start && !self.waiting.is_empty() {
            return Step::WaitUntil(self.next_start);
        }
        match self.waiting.pop_front() {
            Some(address) => {
                self.running += 1;
                self.next_start = now + STAGGER;
                Step::Try(address)
            }
            None if self.running > 0 => Step::WaitForAttempts,
            None => Step::Over,
        }
    }

    /// An attempt has failed: the next address need not wait.
    pub(crate) fn failed(&mut self, now: Duration) {
        self.running = self.running.saturating_sub(1);
        self.next_start = now;
    }
}

/// Each address once, at most [`MAX_ADDRESSES`], IPv6 and IPv4 in turns, beginning with the family of the first.
fn in_turns(addresses: impl IntoIterator<Item = SocketAddr>) -> VecDeque<SocketAddr> {
    let mut families: [VecDeque<SocketAddr>; 2] = Default::default();
    let mut first_is_ipv6 = None;
    for address in addresses {
        let is_first_family = *first_is_ipv6.get_or_insert(address.is_ipv6()) == address.is_ipv6();
        let family = &mut families[usize::from(!is_first_family)];
        if !family.contains(&address) {
            family.push_back(address);
        }
    }
    let [mut first, mut second] = families;
    let mut turns = VecDeque::new();
    while turns.len() < MAX_ADDRESSES {
        let Some(address) = first.pop_front().or_else(|| second.pop_front()) else {
            break;
        };
        turns.push_back(address);
        std::mem::swap(&mut first, &mut second);
    }
    turns
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn v4(last: u8) -> SocketAddr {
        (Ipv4Addr::new(192, 0, 2, last), 80).into()
    }

    fn v6(last: u16) -> SocketAddr {
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last), 80).into()
    }

    #[test]
    fn families_take_turns_from_the_resolvers_first_one() {
        assert_eq!(
            in_turns([v6(1), v6(2), v6(3), v4(1), v6(1)]),
            [v6(1), v4(1), v6(2), v6(3)]
        );
        assert_eq!(in_turns([v4(1), v4(2), v6(1)]), [v4(1), v6(1), v4(2)]);
        assert!(in_turns([]).is_empty());
    }

    #[test]
    fn a_silent_address_holds_the_next_one_up_for_250_ms() {
        let mut race = Race::new([v6(1), v4(1)]);
        assert_eq!(race.step(SECOND), Step::Try(v6(1)));
        assert_eq!(race.step(SECOND), Step::WaitUntil(SECOND + STAGGER));
        assert_eq!(race.step(SECOND + STAGGER), Step::Try(v4(1)));
        assert_eq!(race.step(SECOND + STAGGER), Step::WaitForAttempts);
    }

    #[test]
    fn an_address_that_refuses_holds_nothing_up() {
        let mut race = Race::new([v6(1), v4(1), v6(2)]);
        assert_eq!(race.step(SECOND), Step::Try(v6(1)));
        race.failed(SECOND);
        assert_eq!(race.step(SECOND), Step::Try(v4(1)));
        assert_eq!(race.step(SECOND), Step::WaitUntil(SECOND + STAGGER));
        race.failed(SECOND);
        assert_eq!(race.step(SECOND), Step::Try(v6(2)));
        race.failed(SECOND);
        assert_eq!(race.step(SECOND), Step::Over);
    }

    proptest! {
        #[test]
        fn every_race_tries_each_address_once_and_ends(
            ends in prop::collection::vec((any::<bool>(), 0_u8..20, 0_u64..3000), 0..12),
        ) {
            // An attempt at the number n fails after the n-th time.
            let addresses: Vec<SocketAddr> = ends
                .iter()
                .map(|(is_v6, last, _)| if *is_v6 { v6((*last).into()) } else { v4(*last) })
                .collect();
            let mut race = Race::new(addresses.clone());
            let (mut now, mut running, mut tried) = (Duration::ZERO, Vec::new(), Vec::new());
            loop {
                let until = match race.step(now) {
                    Step::Try(address) => {
                        let lasts = Duration::from_millis(ends[tried.len()].2);
                        running.push(now + lasts);
                        tried.push(address);
                        continue;
                    }
                    Step::WaitUntil(until) => until,
                    Step::WaitForAttempts => Duration::MAX,
                    Step::Over => break,
                };
                running.sort();
                let first_end = running[0];
                now = until.min(first_end);
                if first_end <= now {
                    running.remove(0);
                    race.failed(now);
                }
            }
            let mut all: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
            all.sort();
            all.dedup();
            prop_assert_eq!(tried.len(), all.len().min(MAX_ADDRESSES));
            prop_assert!(now <= STAGGER * MAX_ADDRESSES as u32 + ATTEMPT_TIMEOUT);
            tried.sort();
            tried.dedup();
            prop_assert_eq!(tried.len(), all.len().min(MAX_ADDRESSES));
        }
    }
}
