use std::time::Duration;

use actr_lite_wire::{identity::StreamId, record::DEFAULT_MAX_RECORD_LEN};
use rand::{RngExt as _, rngs::SmallRng};

/// What a stream is made of, known to both ends.
#[derive(Debug, Clone)]
pub(crate) struct StreamSpec {
    /// Its number in the schedule.
    pub(crate) number: u64,
    pub(crate) frames: u64,
    /// The longest payload.
    longest: usize,
    /// What lies between two frames.
    pub(crate) pace: Duration,
    /// Its frames may be dropped.
    pub(crate) is_latency_first: bool,
}

/// How many bytes of payload a stream has, about: a schedule is to be short.
const STREAM_BYTES: usize = 400_000;

/// As [`STREAM_BYTES`], for the few streams that are to use up their credit.
const LONG_STREAM_BYTES: usize = 1_500_000;

/// What a frame has beside its payload, at most.
const MAX_FRAME_HEAD: usize = 100;

impl StreamSpec {
    pub(crate) fn draw(number: u64, rng: &mut SmallRng) -> Self {
        let frames: u64 = match rng.random_range(0..10) {
            0 => rng.random_range(0..3),
            1..5 => rng.random_range(1..30),
            _ => rng.random_range(20..300),
        };
        let longest = [0, 20, 200, 2000, 20_000, 300_000][rng.random_range(0..6)];
        let bytes = if rng.random_bool(0.1) {
            LONG_STREAM_BYTES
        } else {
            STREAM_BYTES
        };
        let most = (2 * bytes / (longest + 1)).max(2) as u64;
        let frames = frames.min(most);
        let pace = match rng.random_range(0..3) {
            0 => Duration::ZERO,
            _ => Duration::from_micros(rng.random_range(0..=(20_000_000 / frames.max(1)).min(2_000_000))),
        };
        Self {
            number,
            frames,
            longest,
            pace,
            is_latency_first: rng.random_bool(0.15),
        }
    }

    /// A stream for a slow connection, of frames up to the longest that a node sends.
    pub(crate) fn draw_for_slow_lanes(number: u64, rng: &mut SmallRng) -> Self {
        let (longest, frames) = [
            (200, 200),
            (20_000, 10),
            (300_000, 3),
            (DEFAULT_MAX_RECORD_LEN - MAX_FRAME_HEAD, 1),
        ][rng.random_range(0..4)];
        Self {
            number,
            frames,
            longest,
            pace: Duration::ZERO,
            is_latency_first: false,
        }
    }

    /// The most bytes of payload that it may have.
    pub(crate) fn most_bytes(&self) -> u64 {
        self.frames * self.longest as u64
    }

    pub(crate) fn id(&self) -> StreamId {
        let text = format!("stream-{}", self.number);
        text.parse().unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// The payload of a frame: each has its own.
    pub(crate) fn payload(&self, sequence: u64) -> Vec<u8> {
        let mixed = (self.number << 32 ^ sequence).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let len = if self.longest == 0 {
            0
        } else {
            (mixed >> 20) as usize % (self.longest + 1)
        };
        vec![(mixed >> 56) as u8; len]
    }
}
