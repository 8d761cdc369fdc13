use std::time::Duration;

use actr_lite_wire::identity::ActrId;

use super::{MOST_EVENTS, RECOVERY, STOPPING, State, World};
use crate::{
    client_stream::Outcome,
    lane::Lane,
    outgoing::Outgoing,
    schedule::{REGISTRY, START_OF_TIME},
    trace::HostId,
};

/// How long a stream may be without a sender though nothing is wrong: until a try of a moment before has failed and the
/// next one has succeeded, with its answer behind another stream's longest frames on the slowest connection.
const TO_FIND_A_SERVER: Duration = Duration::from_secs(6);

/// What must hold for all hosts together.
impl World {
    /// Checks what no host can see alone.
    pub(super) fn look(&mut self) {
        let mut failure = None;
        for stream in self.streams() {
            let healthy_since = stream.progressed.max(self.schedule.healed);
            let allowed = healthy_since + stream.timeout() + 2 * RECOVERY + self.schedule.to_carry_all();
            if !stream.is_over() && self.now > allowed {
                failure = Some(format!(
                    "stream {} is stuck behind frame {} of {}: {:?}",
                    stream.spec.number,
                    stream.seen(),
                    stream.spec.frames,
                    stream.resumption
                ));
            }
        }
        if self.is_well() {
            self.check_directory();
        }
        for host in &self.hosts {
            let State::Node(server) = &host.state else { continue };
            for lane in server.lanes.iter().filter(|lane| lane.is_of_rogue()) {
                let of_it = |other: &&Lane| other.peer == lane.peer;
                let held: usize = server.lanes.iter().filter(of_it).map(Lane::held).sum();
                let counted = lane.account().bytes();
                if held > counted.used() || counted.used() > counted.limit().value() {
                    failure = Some(format!("{} makes a node hold {held} bytes: {counted:?}", lane.peer));
                }
            }
            for lane in server.lanes.iter().filter(|lane| lane.is_open() && lane.extended) {
                let connection = lane.socket.connection;
                if !self.network.is_drained(connection) || !lane.outbox.is_empty() {
                    continue;
                }
                for outgoing in lane.outgoing.iter().filter(|outgoing| outgoing.waits_for_credit()) {
                    if self.has_taken_all(connection, outgoing) {
                        failure = Some(format!(
                            "the sender of {} waits for credit for ever",
                            outgoing.stream_id
                        ));
                    }
                }
            }
        }
        if let Some(failure) = failure {
            self.failure.get_or_insert(failure);
        }
    }

    /// Whether the receiver has taken all that came over a connection, and has nothing to say.
    fn has_taken_all(&self, connection: u64, outgoing: &Outgoing) -> bool {
        self.hosts.iter().any(|host| {
            let State::Node(client) = &host.state else { return false };
            let is_idle = client.lanes.iter().any(|lane| {
                lane.socket.connection == connection && lane.is_open() && lane.socket.end == 0 && lane.outbox.is_empty()
            });
            is_idle
                && self.now >= host.paused_until
                && client.streams.iter().any(|stream| {
                    let inbox = stream.inbox.as_ref();
                    let is_live = stream.resumption.is_live() && stream.pace.next_at < self.now;
                    is_live
                        && inbox.is_some_and(|inbox| {
                            inbox.stream_id == outgoing.stream_id
                                && inbox.source == Some(connection)
                                && inbox.ended().is_none()
                                && inbox.is_drained()
                        })
                })
        })
    }

    /// If nothing goes wrong, no stream is given up or restarted, however slow its connection is, and whatever others do who
    /// break the protocol.
    pub(super) fn check_whole_streams(&mut self) {
        let is_special = self.schedule.slow_lanes.is_some() || !self.schedule.rogues.is_empty();
        if !is_special || !self.schedule.faults.is_empty() {
            return;
        }
        // The last frames of a latency-first stream may be dropped, and are asked for again then. Of a long frame nothing is known before it is there if the sender does not speak the extension: it may be asked for
        // again.
        let may_restart = self.schedule.slow_lanes.is_none() && !self.schedule.all_extended();
        let given_up = self.streams().find_map(|stream| {
            let is_whole = stream.outcome == Some(Outcome::Complete)
                && (stream.resumes == 0 || may_restart || stream.spec.is_latency_first);
            (!is_whole).then(|| {
                format!(
                    "stream {} was restarted {} times though nothing was wrong: {:?}",
                    stream.spec.number, stream.resumes, stream.outcome
                )
            })
        });
        if let Some(failure) = given_up {
            self.failure.get_or_insert(failure);
        }
    }

    /// Whether nothing is wrong, and nothing was for as long as consequences last.
    fn is_well(&self) -> bool {
        !self
            .troubles
            .iter()
            .any(|(from, end)| (*from..*end).contains(&self.now))
    }

    /// As long as nothing is wrong a node keeps its id, and its credential is good: it is renewed in time, even if an
    /// answer to a renewal gets lost.
    pub(super) fn check_identity(&mut self, number: HostId) {
        let State::Node(node) = &self.hosts[number].state else {
            return;
        };
        let Some(identity) = node.link.identity() else { return };
        let (id, expires_at) = (&identity.actor_id, identity.credential_expires_at);
        let is_other = self.hosts[number].id.as_ref() != Some(id);
        let failure = if node.is_leaving() || !self.is_well() {
            None
        } else if is_other && self.hosts[number].id.is_some() {
            Some(format!("host {number} registers again though nothing is wrong"))
        } else if expires_at <= START_OF_TIME + self.now.as_secs() {
            Some(format!(
                "the credential of host {number} has ended, and nothing is wrong"
            ))
        } else {
            None
        };
        if is_other {
            self.hosts[number].id = Some(id.clone());
        }
        if let Some(failure) = failure {
            self.failure.get_or_insert(failure);
        }
    }

    /// Nothing is wrong: the directory has every live node once, and no other.
    pub(super) fn check_directory(&mut self) {
        let mut expected: Vec<ActrId> = Vec::new();
        let mut failure = None;
        for (number, host) in self.hosts.iter().enumerate() {
            if let State::Node(node) = &host.state
                && !node.is_leaving()
                && self.now > host.started + RECOVERY
            {
                match node.link.identity() {
                    Some(identity) => expected.push(identity.actor_id.clone()),
                    None => failure = Some(format!("host {number} is not registered")),
                }
            }
        }
        if let State::Registry(registry) = &self.hosts[REGISTRY].state {
            for id in &expected {
                if !registry.lists(id, self.now) {
                    failure = Some(format!("{id} is live and not listed"));
                }
            }
            let live = self
                .hosts
                .iter()
                .filter(|host| matches!(host.state, State::Node(_)))
                .count();
            if registry.len() > live {
                failure = Some(format!("{} nodes are listed, and {live} live", registry.len()));
            }
        }
        if let Some(failure) = failure {
            self.failure.get_or_insert(failure);
        }
    }

    /// If nothing goes wrong, every call has its answer, whatever connections are closed as unused.
    pub(super) fn check_calls(&mut self) {
        // Over a slow connection an answer may wait behind a long frame.
        if !self.schedule.faults.is_empty() || self.schedule.slow_lanes.is_some() {
            return;
        }
        let mut failed = self
            .hosts
            .iter()
            .enumerate()
            .take(self.schedule.first_rogue())
            .filter_map(|(number, host)| match &host.state {
                State::Node(node) => Some((number, node.caller.failed?)),
                _ => None,
            });
        if let Some((host, (why, took))) = failed.next() {
            self.failure
                .get_or_insert(format!("a call of host {host} had no answer after {took:?}: {why:?}"));
        }
    }

    pub(super) fn count(&mut self) {
        let mut counts = std::mem::take(&mut self.counts);
        let mut failure = None;
        for stream in self.streams() {
            counts.frames += stream.seen();
            counts.duplicates += stream.duplicates;
            counts.resumes += stream.resumes;
            match stream.outcome {
                Some(Outcome::Complete) => counts.complete += 1,
                Some(Outcome::GivenUp(from, until)) if !self.is_justified(from, until) => {
                    failure = Some(format!(
                        "stream {} was given up though a server could be reached",
                        stream.spec.number
                    ));
                }
                _ => counts.given_up += 1,
            }
        }
        self.counts = counts;
        if let Some(failure) = failure {
            self.failure.get_or_insert(failure);
        }
    }

    /// Whether something was wrong all the time for which the stream had no sender.
    fn is_justified(&self, from: Duration, until: Duration) -> bool {
        let mut troubles = self.troubles.clone();
        troubles.sort_unstable();
        // The end of a stream that is requested again may be queued behind another one's longest frame.
        let allowed = TO_FIND_A_SERVER + self.schedule.to_carry_all();
        let mut well_since = from;
        for (begin, end) in troubles {
            if begin.min(until).saturating_sub(well_since) > allowed {
                return false;
            }
            well_since = well_since.max(end);
        }
        until.saturating_sub(well_since) <= allowed
    }

    /// Everything stops: nothing may be left, neither on a host nor in the network nor to be done.
    pub(super) fn wind_down(&mut self) {
        for host in (0..self.hosts.len()).rev() {
            self.hosts[host].returns_after = None;
            self.tell_to_leave(host);
        }
        let until = self.now + STOPPING;
        while self.failure.is_none() && self.step() {
            if self.now > until || self.queued > MOST_EVENTS {
                self.failure
                    .get_or_insert("there is still something to be done long after everything stopped".into());
            }
        }
        let up = self.hosts.iter().position(|host| !matches!(host.state, State::Down));
        if let Some(host) = up {
            self.failure.get_or_insert(format!("host {host} does not stop"));
        }
        let open = self.network.open();
        if !open.is_empty() {
            self.failure
                .get_or_insert(format!("connections {open:?} are left when everything has stopped"));
        }
    }
}
