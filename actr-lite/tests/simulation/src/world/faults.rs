use std::time::Duration;

use super::{Event, RECOVERY, State, World};
use crate::{
    network::Cut,
    schedule::{Fault, REGISTRY},
    trace::HostId,
};

/// What a broken connection costs at most: it is noticed within 12 s, and a node registers again within a few more.
const RECONNECTION: Duration = Duration::from_secs(18);

/// How long a server may take to leave: the grace for its streams, and for its connections.
const LEAVING: Duration = Duration::from_secs(15);

/// What goes wrong.
impl World {
    fn crash(&mut self, host: HostId, is_silent: bool) {
        self.trace
            .record(self.now, host, "crashes, silently {}", [is_silent.into(), 0]);
        self.hosts[host].state = State::Down;
        self.hosts[host].paused_until = Duration::ZERO;
        self.network.crash(host, is_silent, self.now, &mut self.rng);
        self.take_network_events();
    }

    /// Something is wrong for a while, and after that may have consequences for another.
    fn trouble(&mut self, lasts: Duration, recovery: Duration) {
        let end = self.now.saturating_add(lasts).saturating_add(recovery);
        self.troubles.push((self.now, end));
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Crash {
                host,
                down,
                is_silent,
                moves,
            } => {
                // A server that never comes back is missed forever only if it is the only one.
                let is_missed = down < Duration::MAX || self.schedule.servers.len() == 1;
                self.trouble(if is_missed { down } else { Duration::ZERO }, RECOVERY);
                self.crash(host, is_silent);
                if moves {
                    self.move_host(host);
                }
                if down < Duration::MAX && !self.is_lost(host) {
                    self.push(self.now + down, Event::Start(host));
                }
            }
            Fault::Pause { host, lasts } => {
                self.trace
                    .record(self.now, host, "stands still for {} ms", [lasts.as_millis() as u64, 0]);
                self.trouble(lasts, RECOVERY);
                let host_state = &mut self.hosts[host];
                host_state.paused_until = host_state.paused_until.max(self.now + lasts);
                let until = host_state.paused_until;
                self.push(until, Event::Resume(host));
            }
            Fault::Partition { hosts: (a, b), lasts } => {
                let lasts_ms = lasts.as_millis() as u64;
                self.trace
                    .record(self.now, a, "is cut off from host {} for {} ms", [b as u64, lasts_ms]);
                self.trouble(lasts, RECOVERY);
                self.network.partition(a, b, self.now + lasts);
            }
            Fault::Cut { choice, manner } => {
                let open = self.network.open();
                let Some(connection) = open.get(choice % open.len().max(1)) else {
                    return;
                };
                let cut = [Cut::Reset, Cut::HalfOpen(0), Cut::HalfOpen(1), Cut::Silent][manner % 4];
                self.trace.record(
                    self.now,
                    REGISTRY,
                    "connection {} is cut, manner {}",
                    [*connection, manner as u64],
                );
                self.trouble(Duration::ZERO, RECONNECTION);
                self.network.cut(*connection, cut, self.now);
                self.take_network_events();
            }
            Fault::Leave { host, down } => {
                self.trouble(down + LEAVING, RECOVERY);
                self.hosts[host].returns_after = Some(down);
                self.tell_to_leave(host);
            }
            Fault::Renew { host } => {
                self.trouble(Duration::ZERO, RECOVERY);
                self.act(host, |state, cx| {
                    if let State::Node(node) = state {
                        node.renew_streams(cx);
                    }
                });
                self.poll(host);
            }
            Fault::Vanish { host, is_silent } => {
                self.trouble(Duration::ZERO, RECOVERY);
                if let State::Node(node) = &self.hosts[host].state {
                    self.counts.vanished += node.streams.iter().filter(|stream| !stream.is_over()).count() as u64;
                    self.crash(host, is_silent);
                }
            }
        }
    }

    pub(super) fn is_lost(&self, host: HostId) -> bool {
        let lost_at = |(at, fault): &(Duration, Fault)| match fault {
            Fault::Crash { host: lost, down, .. } => *lost == host && *down == Duration::MAX && *at <= self.now,
            _ => false,
        };
        self.schedule.lost_servers.contains(&host) && self.schedule.faults.iter().any(lost_at)
    }
}
