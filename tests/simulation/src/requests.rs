use std::time::Duration;

use actr_lite_engine::outbox::Urgency;
use actr_lite_wire::{
    control::Control,
    envelope::Envelope,
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    proto::{
        RouteCandidatesRequest, actr_to_signaling::Payload as Request, route_candidates_request::NodeSelectionCriteria,
        route_candidates_response, signaling_to_actr::Payload as Answer,
    },
    record::RecordKind,
    resume::{RESUME_AFTER, without_failed},
};
use rand::RngExt as _;

use crate::{
    client_stream::{Looking, Stage},
    context::{Context, earlier},
    inbox::{Inbox, StreamEnd},
    network::ConnectionId,
    node::{Node, ROUTE},
    reception::request_payload,
};

/// How many candidates a client asks for: as the node does.
const CANDIDATES: u32 = 8;

/// How long one server may take to be reached and to agree: the node's own bound, as all that follow.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
const DISCOVER_TIMEOUT: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(500);
const END_GRACE: Duration = Duration::from_secs(1);

/// How many steps a stream may make in one moment: a try has half a dozen.
const MAX_STEPS: usize = 1000;

/// How far a stream may be given up too late: rounding, and what a turn takes.
const SLACK: Duration = Duration::from_millis(10);

/// What a client does for its streams: as the node's resumable stream.
impl Node {
    pub(crate) fn poll_streams(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for at in 0..self.streams.len() {
            if self.is_leaving() {
                break;
            }
            self.take_frames(at, cx);
            let mut steps = 0;
            while steps < MAX_STEPS && self.step(at, cx) {
                self.progress = true;
                steps += 1;
            }
            cx.check(steps < MAX_STEPS, || "a stream's turn does not end".into());
            wake = earlier(wake, self.stream_wake(at, cx));
        }
        wake
    }

    fn stream_wake(&self, at: usize, cx: &mut Context<'_>) -> Option<Duration> {
        let stream = &self.streams[at];
        if stream.is_over() {
            return None;
        }
        let pace = stream.pace.next_at;
        let paced = (stream.inbox.is_some() && pace > cx.now).then_some(pace);
        let stage = match stream.stage {
            Stage::Waiting(until) => Some(until),
            Stage::Live => match stream.other {
                Some(Looking::Asked { until, .. } | Looking::Waits(until)) => Some(until),
                None => stream.completed.map(|since| since + END_GRACE),
            },
            Stage::Asking { until, .. } | Stage::Reaching { until, .. } | Stage::Calling { until, .. } => Some(until),
            Stage::Idle | Stage::Complete | Stage::GaveUp => None,
        };
        if !matches!(stream.stage, Stage::Live) {
            let without = stream.without(cx.now);
            cx.check(without <= stream.timeout() + SLACK, || {
                format!("stream {} is not given up after {without:?}", stream.spec.number)
            });
        }
        earlier(paced, stage)
    }

    /// Hands over what may be handed over now.
    fn take_frames(&mut self, at: usize, cx: &mut Context<'_>) {
        let mut grants = Vec::new();
        let mut is_useless = false;
        let stream = &mut self.streams[at];
        while stream.pace.next_at <= cx.now && !stream.is_complete() {
            let Some(inbox) = stream.inbox.as_mut() else { break };
            let lane = self
                .lanes
                .iter_mut()
                .find(|lane| inbox.source == Some(lane.socket.connection));
            let mut none = 0;
            let (extended, growth) = lane.map_or((false, &mut none), |lane| (lane.extended, &mut lane.growth));
            match inbox.take(extended, growth, &mut grants, cx.now) {
                Ok(None) => break,
                Ok(Some((sequence, payload))) => {
                    self.progress = true;
                    if !stream.observe(sequence, &payload, cx) {
                        is_useless = true;
                        break;
                    }
                }
                Err(error) => {
                    cx.fail(error);
                    break;
                }
            }
        }
        for grant in grants {
            self.progress = true;
            let mut lanes = self.lanes.iter_mut();
            if let Some(lane) = lanes.find(|lane| lane.socket.connection == grant.connection && lane.is_open()) {
                lane.send_control(&grant.control, cx);
            }
        }
        if is_useless {
            cx.record("meets a gap in stream {}", [self.streams[at].spec.number, 0]);
            self.fail_try(at, cx);
        }
    }

    /// One step of a stream's way to its end. False: nothing to do now.
    fn step(&mut self, at: usize, cx: &mut Context<'_>) -> bool {
        let stream = &mut self.streams[at];
        match &stream.stage {
            Stage::Complete | Stage::GaveUp => false,
            Stage::Live => self.follow(at, cx),
            Stage::Idle if stream.is_complete() && stream.spec.frames > 0 => {
                // Frames may have come though the answer did not.
                stream.complete(cx);
                true
            }
            Stage::Idle => {
                match stream.resume.next_try(cx.now, cx.rng.random()) {
                    Some(wait) => stream.stage = Stage::Waiting(cx.now + wait),
                    None => stream.give_up(cx),
                }
                true
            }
            Stage::Waiting(until) if cx.now < *until => false,
            Stage::Waiting(_) => {
                self.discover(at, cx);
                true
            }
            Stage::Asking { number, until } => {
                let (number, until) = (*number, *until);
                self.discovered(at, number, until, cx)
            }
            Stage::Reaching { until, .. } | Stage::Calling { until, .. } if cx.now >= *until => {
                self.next_server(at, cx);
                true
            }
            Stage::Reaching { .. } => self.reach(at, cx),
            Stage::Calling { .. } => false,
        }
    }

    /// A live stream: ends it when it is over, or its sender leaves and there is another one.
    fn follow(&mut self, at: usize, cx: &mut Context<'_>) -> bool {
        let stream = &mut self.streams[at];
        let Some(inbox) = &stream.inbox else { return false };
        if stream.is_complete() {
            // No other server is needed any more.
            if let Some(Looking::Asked { number, .. }) = stream.other.take() {
                self.link.forget(number);
            }
            let since = *stream.completed.get_or_insert(cx.now);
            if inbox.end.is_none() && cx.now < since + END_GRACE {
                return false;
            }
            self.drop_try(at, cx);
            self.streams[at].complete(cx);
            return true;
        }
        if inbox.end.is_some() && inbox.is_drained() {
            self.fail_live(at, cx);
            return true;
        }
        if !self.departures.contains(&inbox.expected) {
            if let Some(Looking::Asked { number, .. }) = stream.other.take() {
                self.link.forget(number);
            }
            return false;
        }
        let server = inbox.expected.clone();
        match stream.other {
            Some(Looking::Waits(until)) if cx.now < until => false,
            None | Some(Looking::Waits(_)) => {
                let number = self.ask_registry(DISCOVER_TIMEOUT, cx);
                let until = cx.now + DISCOVER_TIMEOUT;
                self.streams[at].other = Some(Looking::Asked { number, until });
                true
            }
            Some(Looking::Asked { number, until }) => {
                let answer = self.link.take_answer(number);
                if answer.is_none() && cx.now < until {
                    return false;
                }
                self.link.forget(number);
                self.streams[at].other = Some(Looking::Waits(cx.now + LOOK_EVERY));
                let servers = answer.and_then(|answer| self.named(answer, cx)).unwrap_or_default();
                if servers.iter().any(|other| *other != server) {
                    cx.record("moves stream {} on", [self.streams[at].spec.number, 0]);
                    self.fail_live(at, cx);
                }
                true
            }
        }
    }

    fn ask_registry(&mut self, timeout: Duration, cx: &mut Context<'_>) -> u64 {
        let request = Request::RouteCandidates(RouteCandidatesRequest {
            target_type: (&server_type()).into(),
            criteria: Some(NodeSelectionCriteria {
                candidate_count: CANDIDATES,
                ranking_factors: Vec::new(),
            }),
            client_fingerprint: String::new(),
            candidate_id: None,
        });
        self.link.request(request, timeout, cx.now)
    }

    /// Has the registry name the servers, unless it is away and some are known.
    fn discover(&mut self, at: usize, cx: &mut Context<'_>) {
        let stream = &self.streams[at];
        let left = stream.resume.left(cx.now);
        if !stream.known.is_empty() && !self.link.is_connected() {
            self.try_known(at, cx);
            return;
        }
        let timeout = if stream.known.is_empty() {
            left
        } else {
            left.min(DISCOVER_TIMEOUT)
        };
        let number = self.ask_registry(timeout, cx);
        let until = cx.now + timeout;
        self.streams[at].stage = Stage::Asking { number, until };
    }

    fn discovered(&mut self, at: usize, number: u64, until: Duration, cx: &mut Context<'_>) -> bool {
        let answer = self.link.take_answer(number);
        if answer.is_none() && cx.now < until {
            return false;
        }
        self.link.forget(number);
        match answer.and_then(|answer| self.named(answer, cx)) {
            Some(servers) if servers.is_empty() => self.streams[at].broke(cx),
            Some(servers) => {
                self.streams[at].known = servers;
                self.try_known(at, cx);
            }
            // The registry is silent.
            None if self.streams[at].known.is_empty() => self.streams[at].broke(cx),
            None => self.try_known(at, cx),
        }
        true
    }

    /// The servers in an answer, whose addresses are noted.
    fn named(&mut self, answer: Result<Answer, ErrorCode>, cx: &mut Context<'_>) -> Option<Vec<ActrId>> {
        let Ok(Answer::RouteCandidates(response)) = answer else {
            return None;
        };
        let Some(route_candidates_response::Result::Success(found)) = response.result else {
            return None;
        };
        for entry in &found.ws_address_map {
            let address = entry.ws_address.as_deref().and_then(|url| url.strip_prefix("ws://"));
            match (ActrId::try_from(&entry.candidate_id), address.map(str::parse)) {
                (Ok(id), Some(Ok(address))) => {
                    self.addresses.insert(id, address);
                }
                _ => cx.fail("a candidate can't be read"),
            }
        }
        Some(found.candidates.iter().filter_map(|id| id.try_into().ok()).collect())
    }

    fn try_known(&mut self, at: usize, cx: &mut Context<'_>) {
        let stream = &mut self.streams[at];
        let servers = without_failed(stream.known.clone(), stream.failed.as_ref());
        self.try_servers(at, servers, cx);
    }

    fn try_servers(&mut self, at: usize, servers: Vec<ActrId>, cx: &mut Context<'_>) {
        let stream = &mut self.streams[at];
        if servers.is_empty() {
            stream.broke(cx);
            return;
        }
        stream.stage = Stage::Reaching {
            servers,
            until: cx.now + stream.resume.left(cx.now).min(ASK_TIMEOUT),
            has_dialled: false,
        };
    }

    /// Asks a server for the stream, or makes a connection to it first.
    fn reach(&mut self, at: usize, cx: &mut Context<'_>) -> bool {
        let Stage::Reaching {
            servers,
            until,
            has_dialled,
        } = &self.streams[at].stage
        else {
            return false;
        };
        let (servers, until, has_dialled) = (servers.clone(), *until, *has_dialled);
        let Some(server) = servers.first() else { return false };
        if let Some(lane) = self
            .lanes
            .iter()
            .rposition(|lane| lane.is_open() && lane.peer == *server)
        {
            return self.call(at, lane, servers, until, cx);
        }
        if has_dialled {
            // Whether it succeeds is told.
            return false;
        }
        if self.dial(server, cx) {
            self.streams[at].stage = Stage::Reaching {
                servers,
                until,
                has_dialled: true,
            };
        } else {
            self.next_server(at, cx);
        }
        true
    }

    fn call(&mut self, at: usize, lane: usize, servers: Vec<ActrId>, until: Duration, cx: &mut Context<'_>) -> bool {
        let (stream, lane) = (&mut self.streams[at], &mut self.lanes[lane]);
        self.next_request += 1;
        let request_id = format!("{}-{}", cx.host, self.next_request);
        let delivered = stream.filter.last();
        let envelope = Envelope::Request {
            request_id: request_id.as_str().into(),
            route_key: ROUTE.into(),
            payload: request_payload(&stream.spec),
            metadata: match delivered {
                0 => Vec::new(),
                delivered => vec![(RESUME_AFTER.into(), delivered.to_string())],
            },
            timeout: Some(until - cx.now),
        };
        let sent = lane.outbox.try_send(
            RecordKind::RpcReliable,
            Urgency::Now,
            &[],
            &envelope.encode(),
            lane.socket,
            cx,
        );
        if sent.is_err() {
            // It is full, or closes: the next turn sees.
            return false;
        }
        cx.record("asks for stream {} behind frame {}", [stream.spec.number, delivered]);
        stream.inbox = Some(Inbox::new(stream.spec.id(), lane.peer.clone()));
        stream.stage = Stage::Calling {
            servers,
            until,
            connection: lane.socket.connection,
            request_id,
        };
        true
    }

    /// A server has answered.
    pub(crate) fn answered(&mut self, request_id: &str, agreed: bool, cx: &mut Context<'_>) {
        let asked = |stage: &Stage| matches!(stage, Stage::Calling { request_id: id, .. } if id == request_id);
        let Some(at) = self.streams.iter().position(|stream| asked(&stream.stage)) else {
            return;
        };
        if agreed {
            self.streams[at].live(cx);
        } else {
            self.next_server(at, cx);
        }
    }

    /// A connection is lost, and with it the calls that went over it.
    pub(crate) fn fail_calls(&mut self, connection: ConnectionId, cx: &mut Context<'_>) {
        for at in 0..self.streams.len() {
            if matches!(self.streams[at].stage, Stage::Calling { connection: used, .. } if used == connection) {
                self.next_server(at, cx);
            }
        }
    }

    /// A server can't be reached: those who wait for it try the next.
    pub(crate) fn dial_failed(&mut self, peer: &ActrId, cx: &mut Context<'_>) {
        for at in 0..self.streams.len() {
            let is_its = matches!(
                &self.streams[at].stage,
                Stage::Reaching { servers, has_dialled: true, .. } if servers.first() == Some(peer)
            );
            if is_its {
                self.next_server(at, cx);
            }
        }
    }

    /// A server does not send the stream: the next one is asked.
    fn next_server(&mut self, at: usize, cx: &mut Context<'_>) {
        self.drop_try(at, cx);
        let stream = &mut self.streams[at];
        let (Stage::Reaching { servers, .. } | Stage::Calling { servers, .. }) = &mut stream.stage else {
            return;
        };
        let mut servers = std::mem::take(servers);
        if !servers.is_empty() {
            stream.failed = Some(servers.remove(0));
        }
        self.try_servers(at, servers, cx);
        self.progress = true;
    }

    /// A live stream is over, and frames are missing.
    fn fail_live(&mut self, at: usize, cx: &mut Context<'_>) {
        let stream = &mut self.streams[at];
        stream.failed = stream.inbox.as_ref().map(|inbox| inbox.expected.clone());
        self.drop_try(at, cx);
        self.streams[at].broke(cx);
        self.progress = true;
    }

    /// What came is of no use.
    fn fail_try(&mut self, at: usize, cx: &mut Context<'_>) {
        match self.streams[at].stage {
            Stage::Live => self.fail_live(at, cx),
            _ => self.next_server(at, cx),
        }
    }

    /// Takes back whatever belongs to the current try.
    fn drop_try(&mut self, at: usize, cx: &mut Context<'_>) {
        let stream = &mut self.streams[at];
        if let Some(Looking::Asked { number, .. }) = stream.other.take() {
            self.link.forget(number);
        }
        match &stream.stage {
            Stage::Asking { number, .. } => self.link.forget(*number),
            Stage::Calling {
                connection, request_id, ..
            } => {
                let lane = self.lanes.iter_mut().find(|lane| lane.socket.connection == *connection);
                if let Some(lane) = lane.filter(|lane| lane.is_open()) {
                    let request_id = request_id.as_str().into();
                    lane.send_control(&Control::CallCancel { request_id }, cx);
                }
            }
            _ => {}
        }
        let Some(mut inbox) = stream.inbox.take() else {
            return;
        };
        let was_open = inbox.end.is_none();
        inbox.end(StreamEnd::Finished);
        let source = inbox.source;
        let lane = self
            .lanes
            .iter()
            .position(|lane| Some(lane.socket.connection) == source && lane.is_open());
        if let (true, Some(lane)) = (was_open, lane) {
            self.lanes[lane].growth += inbox.grown();
            self.cancel_incoming(&inbox.stream_id, lane, cx);
            // A sender that knows no cancel goes on, and what it sends would be taken for the next try's.
            if !self.lanes[lane].extended && !self.streams[at].is_complete() {
                self.lanes[lane].close();
            }
        }
    }

    /// Drops what is received, as if it were of no use, and asks for the rest again.
    pub(crate) fn renew_streams(&mut self, cx: &mut Context<'_>) {
        for at in 0..self.streams.len() {
            if !self.streams[at].is_over() && self.streams[at].inbox.is_some() {
                cx.record("drops what it has of stream {}", [self.streams[at].spec.number, 0]);
                self.fail_try(at, cx);
            }
        }
    }

    /// The node stops: its streams are of no interest any more.
    pub(crate) fn stop_streams(&mut self, cx: &mut Context<'_>) {
        for at in 0..self.streams.len() {
            self.drop_try(at, cx);
        }
    }
}

/// What the servers of every schedule are.
pub(crate) fn server_type() -> ActrType {
    actr_type("Server")
}

/// What the clients of every schedule are.
pub(crate) fn client_type() -> ActrType {
    actr_type("Client")
}

fn actr_type(name: &str) -> ActrType {
    ActrType::new("simulation", name, "1").unwrap_or_else(|error| unreachable!("{error}"))
}
