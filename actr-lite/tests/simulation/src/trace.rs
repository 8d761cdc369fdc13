use std::{
    collections::{BTreeMap, VecDeque},
    fmt::{self, Write as _},
    time::Duration,
};

/// How many events a failure shows: enough to see what led to it, few enough to read.
const SHOWN: usize = 60;

/// Which host of a schedule: 0 is the registry, then come the servers, then the clients.
pub(crate) type HostId = usize;

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
struct Entry {
    at: Duration,
    host: HostId,
    /// What happened; `{}` stands for the numbers.
    what: &'static str,
    numbers: [u64; 2],
}

/// What happened: the last events to be read, and a hash of all.
#[derive(Debug, Clone)]
pub struct Trace {
    last: VecDeque<Entry>,
    hash: u64,
    counts: Events,
}

/// How often each kind of event happened.
pub type Events = BTreeMap<&'static str, u64>;

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            last: VecDeque::with_capacity(SHOWN),
            hash: 0xcbf2_9ce4_8422_2325,
            counts: Events::new(),
        }
    }

    pub(crate) fn record(&mut self, at: Duration, host: HostId, what: &'static str, numbers: [u64; 2]) {
        for word in [
            at.as_nanos() as u64,
            host as u64,
            what.len() as u64,
            numbers[0],
            numbers[1],
        ] {
            self.mix(word);
        }
        if let Some(first) = what.bytes().next() {
            self.mix(first.into());
        }
        *self.counts.entry(what).or_default() += 1;
        if self.last.len() == SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(Entry {
            at,
            host,
            what,
            numbers,
        });
    }

    /// FNV-1a over words.
    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    /// The hash of all events so far: two runs of the same seed have the same.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How often each kind of event happened.
    pub fn events(&self) -> &Events {
        &self.counts
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.last {
            write!(f, "{:>11.6} s  host {}  ", entry.at.as_secs_f64(), entry.host)?;
            let mut numbers = entry.numbers.iter();
            let mut parts = entry.what.split("{}");
            f.write_str(parts.next().unwrap_or_default())?;
            for part in parts {
                if let Some(number) = numbers.next() {
                    write!(f, "{number}")?;
                }
                f.write_str(part)?;
            }
            f.write_char('\n')?;
        }
        Ok(())
    }
}
