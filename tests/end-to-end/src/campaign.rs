//! What the environment says about tests that draw what peers do from a seed.

use std::{
    env, thread,
    time::{Duration, Instant},
};

/// From which number what peers do is drawn; without it a random one.
const SEED: &str = "HOSTILE_SEED";

/// How long a long test goes on.
const MINUTES: &str = "HOSTILE_MINUTES";

const DEFAULT_MINUTES: u64 = 5;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is {text:?}, which is not a number")))
}

/// The seed of this run, which is shown if the test fails.
pub(crate) fn seed() -> u64 {
    let seed = number(SEED).unwrap_or_else(rand::random);
    println!("{SEED}={seed}");
    seed
}

/// Rounds, each with a seed of its own, for as long as the environment says. If the test fails, it says how to have the
/// round again that failed: as the first one.
pub(crate) struct Campaign {
    seed: u64,
    rounds: u64,
    ends_at: Instant,
}

impl Campaign {
    pub(crate) fn of_environment() -> Self {
        let minutes = number(MINUTES).unwrap_or(DEFAULT_MINUTES);
        Self::of(Duration::from_secs(60 * minutes))
    }

    /// A single round.
    pub(crate) fn of_one_round() -> Self {
        Self::of(Duration::ZERO)
    }

    fn of(duration: Duration) -> Self {
        Self {
            seed: seed(),
            rounds: 0,
            ends_at: Instant::now() + duration,
        }
    }

    /// The seed of the next round, while there is time for one.
    pub(crate) fn next_round(&mut self) -> Option<u64> {
        let is_first = self.rounds == 0;
        (is_first || Instant::now() < self.ends_at).then(|| {
            self.rounds += 1;
            self.seed_of_round()
        })
    }

    fn seed_of_round(&self) -> u64 {
        // Far from each other: peers of a round have the seeds that follow.
        self.seed
            .wrapping_add(self.rounds.saturating_sub(1).wrapping_mul(1 << 20))
    }
}

impl Drop for Campaign {
    fn drop(&mut self) {
        if thread::panicking() {
            let (round, seed) = (self.rounds, self.seed_of_round());
            println!("round {round} failed: {SEED}={seed} begins with it");
        }
    }
}
