//! How much may be on its way to the peer.

use std::time::Duration;

/// What a datagram carries of messages, with the headers of their chunks: a path of 1,200 bytes, without those of DTLS and
/// SCTP.
const DATAGRAM: usize = 1150;

/// The header of a chunk, and padding (RFC 9260 §3.3.1).
const CHUNK_HEADER: usize = 20;

/// How many bytes are on their way at most, counted as full datagrams, and kept until the peer has them. A receiver whose
/// socket buffer is what Linux gives unasked, as an official node's is, has room for some 90 datagrams, whatever their length;
/// each burst that is lost there costs a second. It is 2 MB/s over a path of 50 ms.
pub(crate) const MAX_ON_THE_WAY: usize = 84 * DATAGRAM;

/// How many messages may be on their way over any path. SCTP looks at each of them for each datagram, so more of them than a
/// path needs cost more than the messages themselves do; these are enough for 250,000 a second over a path of 1 ms.
const FREE_MESSAGES: usize = 256;

/// Grows with what the path carries: twice what the peer confirms within the shortest round trip, so that a long path is full,
/// and no queue grows before a short one.
#[derive(Debug, Default)]
pub(crate) struct Window {
    written: u64,
    probe: Option<Probe>,
    shortest: Option<Duration>,
    /// How many bytes the peer confirms within the shortest round trip.
    carried: usize,
    refused: Option<Refused>,
}

/// A message for which there was no room.
#[derive(Debug, Clone, Copy)]
struct Refused {
    len: usize,
    /// How many bytes the peer had not confirmed.
    unconfirmed: usize,
}

/// A message whose way there and back is timed.
#[derive(Debug)]
struct Probe {
    written_at: Duration,
    /// How many bytes are confirmed when it is.
    end: u64,
    confirmed_before: u64,
}

impl Window {
    /// Whether a message of this length may leave when the peer has not confirmed `unconfirmed` bytes.
    pub(crate) fn has_room(&mut self, len: usize, unconfirmed: usize, now: Duration) -> bool {
        self.observe(unconfirmed, now);
        // As if all that is on the way were messages like this one.
        let most = MAX_ON_THE_WAY * len / cost(len);
        let needed = (2 * self.carried).max(FREE_MESSAGES * len);
        unconfirmed + len <= most.min(needed)
    }

    /// A message of this length has left.
    pub(crate) fn wrote(&mut self, len: usize, unconfirmed: usize, now: Duration) {
        let confirmed_before = self.confirmed(unconfirmed);
        self.written += len as u64;
        self.probe.get_or_insert(Probe {
            written_at: now,
            end: self.written,
            confirmed_before,
        });
    }

    /// A message of this length could not leave.
    pub(crate) fn refused(&mut self, len: usize, unconfirmed: usize) {
        self.refused = Some(Refused { len, unconfirmed });
    }

    /// Whether the message that was refused last may leave, now that the peer has confirmed more. This is said once.
    pub(crate) fn has_room_again(&mut self, unconfirmed: usize, now: Duration) -> bool {
        let Some(refused) = self.refused else { return false };
        let has_room = unconfirmed < refused.unconfirmed && self.has_room(refused.len, unconfirmed, now);
        if has_room {
            self.refused = None;
        }
        has_room
    }

    /// The path may be another one.
    pub(crate) fn forget_path(&mut self) {
        self.probe = None;
        self.shortest = None;
    }

    fn confirmed(&self, unconfirmed: usize) -> u64 {
        self.written.saturating_sub(unconfirmed as u64)
    }

    fn observe(&mut self, unconfirmed: usize, now: Duration) {
        let confirmed = self.confirmed(unconfirmed);
        let Some(probe) = self.probe.take_if(|probe| confirmed >= probe.end) else {
            return;
        };
        // A clock of microseconds is fine enough.
        let took = now.saturating_sub(probe.written_at).max(Duration::from_micros(1));
        let shortest = self.shortest.map_or(took, |shortest| shortest.min(took));
        self.shortest = Some(shortest);
        let delivered = (confirmed - probe.confirmed_before) as f64;
        self.carried = (delivered * shortest.as_secs_f64() / took.as_secs_f64()) as usize;
    }
}

/// How much of datagrams a message takes among others of its length: chunks are not cut to fill one.
fn cost(len: usize) -> usize {
    match DATAGRAM / (len + CHUNK_HEADER) {
        0 => len.div_ceil(DATAGRAM - CHUNK_HEADER) * DATAGRAM,
        together => DATAGRAM / together,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const LEN: usize = 45;

    /// The most that is on the way of a sender that always has something, over a path with this round trip and a receiver
    /// that takes this long for a message.
    fn most_on_the_way(window: &mut Window, round_trip: Duration, each: Duration, seconds: u64, len: usize) -> usize {
        let (mut now, mut free_at) = (Duration::ZERO, Duration::ZERO);
        let mut confirmed_at: VecDeque<Duration> = VecDeque::new();
        let mut most = 0;
        while now < Duration::from_secs(seconds) {
            while confirmed_at.front().is_some_and(|at| *at <= now) {
                confirmed_at.pop_front();
            }
            while window.has_room(len, confirmed_at.len() * len, now) {
                window.wrote(len, confirmed_at.len() * len, now);
                free_at = free_at.max(now + round_trip / 2) + each;
                confirmed_at.push_back(free_at + round_trip / 2);
            }
            most = most.max(confirmed_at.len());
            now = *confirmed_at.front().unwrap();
        }
        most
    }

    #[test]
    fn a_short_path_has_no_more_than_it_needs() {
        let (round_trip, each) = (Duration::from_micros(200), Duration::from_micros(7));
        let most = most_on_the_way(&mut Window::default(), round_trip, each, 2, LEN);
        assert_eq!(most, FREE_MESSAGES);
    }

    #[test]
    fn a_long_path_is_filled() {
        let (round_trip, each) = (Duration::from_millis(50), Duration::from_micros(7));
        let most = most_on_the_way(&mut Window::default(), round_trip, each, 2, LEN);
        assert_eq!(most, MAX_ON_THE_WAY / cost(LEN));
    }

    #[test]
    fn a_path_that_becomes_longer_is_measured_anew() {
        let each = Duration::from_micros(7);
        let mut window = Window::default();
        most_on_the_way(&mut window, Duration::from_micros(200), each, 1, LEN);
        window.written = 0;
        window.forget_path();
        let most = most_on_the_way(&mut window, Duration::from_millis(50), each, 2, LEN);
        assert_eq!(most, MAX_ON_THE_WAY / cost(LEN));
    }

    #[test]
    fn long_messages_are_limited_by_their_datagrams_alone() {
        for len in [DATAGRAM, 16 << 10, 64 << 10] {
            let (round_trip, each) = (Duration::from_micros(200), Duration::from_micros(500));
            let most = most_on_the_way(&mut Window::default(), round_trip, each, 1, len);
            assert_eq!(most, MAX_ON_THE_WAY / cost(len), "{len}");
        }
    }

    #[test]
    fn what_was_refused_may_leave_when_more_is_confirmed() {
        let mut window = Window::default();
        let full = FREE_MESSAGES * LEN;
        assert!(!window.has_room_again(0, Duration::ZERO), "nothing was refused");
        assert!(!window.has_room(LEN, full, Duration::ZERO));
        window.refused(LEN, full);
        assert!(!window.has_room_again(full, Duration::ZERO));
        assert!(
            !window.has_room_again(full - 1, Duration::ZERO),
            "there is no room for all of it"
        );
        assert!(window.has_room_again(full - LEN, Duration::ZERO));
        assert!(!window.has_room_again(0, Duration::ZERO), "it was said");
        // Others have what all share: there is room here.
        window.refused(LEN, 0);
        assert!(!window.has_room_again(0, Duration::ZERO));
    }

    #[test]
    fn what_was_never_written_here_does_no_harm() {
        let mut window = Window::default();
        assert!(window.has_room(LEN, 1000, Duration::ZERO));
        window.wrote(LEN, 1000, Duration::ZERO);
        assert!(window.has_room(LEN, 0, Duration::ZERO));
        assert!(!window.has_room(LEN, MAX_ON_THE_WAY, Duration::ZERO));
    }
}
