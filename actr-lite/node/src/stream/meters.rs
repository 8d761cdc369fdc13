use std::{
    collections::BTreeMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use actr_lite_admin::{
    event::{Direction, Event, Kind},
    paging::Page,
};

use tracing::Span;

use crate::{
    stream::stream_meter::{StreamCounts, StreamMeter},
    tally::tally::{Tally, event},
    trace::spans,
};

/// The streams that run at a node, both ways, and what those had that are over.
#[derive(Default)]
pub(crate) struct Meters {
    tally: Arc<Tally>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    began: u64,
    /// By the order in which they began.
    running: BTreeMap<u64, Arc<StreamMeter>>,
    sent: Sum,
    received: Sum,
}

/// What the streams of one direction have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) running: usize,
    pub(crate) started: u64,
    pub(crate) counts: StreamCounts,
}

/// A stream's place among those that run; dropping it takes it out.
pub(crate) struct Metered {
    meters: Arc<Meters>,
    number: u64,
    meter: Arc<StreamMeter>,
    span: Span,
    end: OnceLock<(&'static str, String)>,
}

impl Sum {
    fn add(&mut self, counts: StreamCounts) {
        self.counts.frames += counts.frames;
        self.counts.bytes += counts.bytes;
        self.counts.duplicates += counts.duplicates;
        self.counts.dropped += counts.dropped;
    }
}

impl State {
    fn sum(&mut self, direction: Direction) -> &mut Sum {
        match direction {
            Direction::Out => &mut self.sent,
            Direction::In => &mut self.received,
        }
    }
}

impl Meters {
    /// Of a node that counts there how they end.
    pub(crate) fn new(tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            tally,
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream runs from now on. Its span lasts as long, and gets the counts at its end.
    pub(super) fn begin(self: &Arc<Self>, meter: StreamMeter, span: Span) -> Metered {
        let meter = Arc::new(meter);
        let mut state = self.lock();
        state.began += 1;
        let number = state.began;
        state.sum(meter.direction).started += 1;
        state.running.insert(number, Arc::clone(&meter));
        drop(state);
        Metered {
            meters: Arc::clone(self),
            number,
            meter,
            span,
            end: OnceLock::new(),
        }
    }

    /// What all streams have done that were sent, and that were received.
    pub(crate) fn sums(&self) -> [Sum; 2] {
        let state = self.lock();
        let mut sums = [state.sent, state.received];
        for meter in state.running.values() {
            let [sent, received] = &mut sums;
            let sum = match meter.direction {
                Direction::Out => sent,
                Direction::In => received,
            };
            sum.running += 1;
            sum.add(meter.counts());
        }
        sums
    }

    /// How many run, and those of a page, each with its number.
    pub(crate) fn page(&self, page: Page) -> (usize, Vec<(u64, Arc<StreamMeter>)>) {
        let state = self.lock();
        let newest_first = state.running.iter().rev();
        let rows = page
            .of(newest_first)
            .map(|(number, meter)| (*number, Arc::clone(meter)));
        (state.running.len(), rows.collect())
    }
}

impl Metered {
    /// The stream is over: why, in a word for counting and in words for people. The first one counts.
    pub(super) fn is_over(&self, word: &'static str, reason: impl FnOnce() -> String) {
        self.end.get_or_init(|| (word, reason()));
    }
}

impl Deref for Metered {
    type Target = Arc<StreamMeter>;

    fn deref(&self) -> &Self::Target {
        &self.meter
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let counts = self.meter.counts();
        let direction = self.meter.direction;
        let mut state = self.meters.lock();
        state.running.remove(&self.number);
        state.sum(direction).add(counts);
        drop(state);
        let tally = &self.meters.tally;
        let (word, reason) = self.end.take().unwrap_or(("dropped", String::new()));
        tally.streams_ended.count((direction, word));
        self.span.record("frames", counts.frames);
        self.span.record("bytes", counts.bytes);
        self.span.record("dropped", counts.dropped);
        self.span.record("end", word);
        if !matches!(word, "finished" | "cancelled") {
            spans::failed(&self.span, &reason);
        }
        tally.events().note(Kind::StreamEnded, || Event {
            stream: Some(self.meter.stream_id.to_string()),
            peer: Some(self.meter.peer.to_string()),
            direction: Some(direction),
            frames: Some(counts.frames),
            reason: Some(reason),
            ..event(Kind::StreamEnded)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(direction: Direction) -> StreamMeter {
        let peer = actr_lite_wire::identity::ActrId::new(1, 1, "acme+Peer".parse().unwrap());
        StreamMeter::new("s".parse().unwrap(), peer, direction, 0)
    }

    #[test]
    fn what_a_stream_had_counts_while_it_runs_and_afterwards() {
        let meters = Meters::new(Arc::default());
        let sent = meters.begin(meter(Direction::Out), Span::none());
        let received = meters.begin(meter(Direction::In), Span::none());
        sent.sent(10);
        sent.sent(5);
        sent.set_credit(Some(2));
        received.taken(StreamCounts {
            frames: 1,
            bytes: 3,
            duplicates: 4,
            dropped: 0,
        });
        let running = meters.sums();
        assert_eq!(
            (running[0].counts.frames, running[0].counts.bytes, running[0].running),
            (2, 15, 1)
        );
        assert_eq!((running[1].counts.frames, running[1].counts.duplicates), (1, 4));
        assert_eq!(meters.page(Page::default()).1[0].0, 2, "the newest first");
        sent.is_over("finished", String::new);
        drop((sent, received));
        let over = meters.sums();
        assert_eq!((over[0].counts, over[0].started), (running[0].counts, 1));
        assert_eq!((over[1].counts, over[1].running), (running[1].counts, 0));
        let ended = meters.tally.streams_ended.all();
        assert_eq!(
            ended[&(Direction::Out, "finished")] + ended[&(Direction::In, "dropped")],
            2
        );
    }
}
