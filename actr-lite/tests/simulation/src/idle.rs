use std::time::Duration;

use actr_lite_engine::usage::UNUSED;
use actr_lite_wire::websocket::{CloseCode, CloseFrame};

use rand::RngExt as _;

use crate::{
    context::{Context, earlier},
    node::Node,
};

/// One of so many retired connections is not closed at once.
const PREEMPTED: u32 = 4;

/// How much later, in microseconds.
const LONGEST_DELAY: u64 = 50_000;

/// How a node closes connections that nobody uses.
impl Node {
    /// Closes what was unused for long enough. When to look again.
    pub(crate) fn poll_idle(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for at in 0..self.lanes.len() {
            wake = earlier(wake, self.close_retired(at, cx));
            if !self.lanes[at].is_usable() {
                continue;
            }
            let is_used = self.is_used(at);
            let waits = self.waits_for_stream(at);
            let idle_timeout = self.manner.idle_timeout;
            let lane = &mut self.lanes[at];
            if is_used {
                lane.used_at = cx.now;
            }
            if cx.now < lane.look_at {
                wake = earlier(wake, Some(lane.look_at));
                continue;
            }
            let unsent = lane.outbox.waiting();
            if unsent > 0 && unsent != lane.unsent {
                lane.used_at = cx.now;
            }
            lane.unsent = unsent;
            let no_stream_since = lane.incoming.unused_since().filter(|_| !waits);
            let may_retire = !is_used && !waits && lane.used_at + idle_timeout <= cx.now;
            let retired = lane.usage.retire(no_stream_since, unsent, idle_timeout, cx.now);
            cx.check(retired.is_ok() == may_retire, || {
                format!(
                    "used {is_used}, waits {waits}, last at {:?}, and yet {retired:?}",
                    lane.used_at
                )
            });
            match retired {
                Ok(()) => {
                    cx.record("closes connection {} as unused", [lane.socket.connection, 0]);
                    lane.is_retired = true;
                    let most = if cx.rng.random_ratio(1, PREEMPTED) {
                        LONGEST_DELAY
                    } else {
                        0
                    };
                    lane.close_at = Some(cx.now + Duration::from_micros(cx.rng.random_range(0..=most)));
                    self.progress = true;
                }
                Err(look_at) => {
                    lane.look_at = look_at;
                    wake = earlier(wake, Some(look_at));
                }
            }
        }
        wake
    }

    /// Closes a retired connection, maybe a moment later: what comes until then is still read.
    fn close_retired(&mut self, at: usize, cx: &mut Context<'_>) -> Option<Duration> {
        let lane = &mut self.lanes[at];
        let close_at = lane.close_at.filter(|_| lane.is_open())?;
        if cx.now < close_at {
            return Some(close_at);
        }
        lane.close_at = None;
        lane.outbox.close(CloseFrame::new(CloseCode::NORMAL, UNUSED));
        self.progress = true;
        None
    }

    /// Whether something uses a connection, as the node as a whole shows it.
    fn is_used(&self, at: usize) -> bool {
        let lane = &self.lanes[at];
        let connection = lane.socket.connection;
        let serves = self.servings.iter().any(|serving| serving.connection == connection);
        let feeds = self
            .inboxes()
            .any(|inbox| inbox.source == Some(connection) && inbox.ended().is_none());
        serves || feeds || !lane.outgoing.is_empty() || self.waits_for_answer(connection)
    }

    /// Whether a stream that was asked for may begin with the next record.
    fn waits_for_stream(&self, at: usize) -> bool {
        let peer = &self.lanes[at].peer;
        let mut inboxes = self.inboxes();
        inboxes.any(|inbox| inbox.source.is_none() && inbox.ended().is_none() && inbox.expected == *peer)
    }
}
