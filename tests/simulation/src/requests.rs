use std::time::Duration;

use actr_lite_wire::{
    control::Control,
    envelope::Envelope,
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
    client_stream::Stage,
    context::{Context, earlier},
    inbox::{Inbox, StreamEnd},
    network::ConnectionId,
    node::{Node, ROUTE},
    reception::request_payload,
};

/// How many candidates a client asks for: as the node does.
const CANDIDATES: u32 = 8;

/// How long a registry's answer is waited for: the registry client's own bound.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

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
            while self.step(at, cx) {
                self.progress = true;
            }
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
            Stage::Live => None,
            _ => Some(cx.now + stream.resume.left(cx.now)),
        };
        if !matches!(stream.stage, Stage::Live) {
            let without = stream.without(cx.now);
            cx.check(without <= stream.patience() + SLACK, || {
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
        while stream.pace.next_at <= cx.now && !stream.resume.is_complete() {
            let Some(inbox) = stream.inbox.as_mut() else { break };
            let lane = self
                .lanes
                .iter_mut()
                .find(|lane| inbox.source == Some(lane.socket.connection));
            let mut none = 0;
            let (extended, growth) = lane.map_or((false, &mut none), |lane| (lane.extended, &mut lane.growth));
            match inbox.take(extended, growth, &mut grants) {
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
        if stream.is_over() {
            return false;
        }
        let is_live = matches!(stream.stage, Stage::Live);
        if stream.resume.is_complete() && (is_live || stream.spec.frames > 0) {
            self.drop_try(at, cx);
            self.streams[at].complete(cx);
            return true;
        }
        let ended = stream.inbox.as_ref().is_some_and(|inbox| inbox.end.is_some() && inbox.is_drained());
        if ended && is_live {
            self.fail_try(at, cx);
            return true;
        }
        let is_late = !is_live && stream.resume.left(cx.now).is_zero();
        match &stream.stage {
            Stage::Idle => {
                match stream.resume.next_try(cx.now, cx.rng.random()) {
                    Some(wait) => stream.stage = Stage::Waiting(cx.now + wait),
                    None => stream.give_up(cx),
                }
                true
            }
            Stage::Waiting(until) if cx.now < *until => false,
            _ if is_late => {
                self.fail_try(at, cx);
                true
            }
            Stage::Waiting(_) => {
                self.ask_registry(at, cx);
                true
            }
            Stage::Asking(number) => {
                let number = *number;
                self.registry_answered(at, number, cx)
            }
            Stage::Choosing(_) => self.choose(at, cx),
            Stage::Dialing(servers) => {
                let is_open = |server: &ActrId| self.lanes.iter().any(|lane| lane.is_open() && lane.peer == *server);
                if !servers.first().is_some_and(is_open) {
                    return false;
                }
                stream.stage = Stage::Choosing(servers.clone());
                true
            }
            _ => false,
        }
    }

    fn ask_registry(&mut self, at: usize, cx: &mut Context<'_>) {
        let request = Request::RouteCandidates(RouteCandidatesRequest {
            target_type: (&server_type()).into(),
            criteria: Some(NodeSelectionCriteria {
                candidate_count: CANDIDATES,
                ranking_factors: Vec::new(),
            }),
            client_fingerprint: String::new(),
        });
        let number = self.link.request(request, REQUEST_TIMEOUT, cx.now);
        self.streams[at].stage = Stage::Asking(number);
    }

    fn registry_answered(&mut self, at: usize, number: u64, cx: &mut Context<'_>) -> bool {
        let Some(answer) = self.link.take_answer(number) else {
            return false;
        };
        let Ok(Answer::RouteCandidates(response)) = answer else {
            self.fail_try(at, cx);
            return true;
        };
        let Some(route_candidates_response::Result::Success(found)) = response.result else {
            self.fail_try(at, cx);
            return true;
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
        let servers = found.candidates.iter().filter_map(|id| id.try_into().ok()).collect();
        let stream = &mut self.streams[at];
        stream.stage = Stage::Choosing(without_failed(servers, stream.failed.as_ref()));
        true
    }

    /// Asks the best server for the stream, or makes a connection to it first.
    fn choose(&mut self, at: usize, cx: &mut Context<'_>) -> bool {
        let Stage::Choosing(servers) = &self.streams[at].stage else {
            return false;
        };
        let servers = servers.clone();
        let Some(server) = servers.first() else {
            self.fail_try(at, cx);
            return true;
        };
        let Some(lane) = self.lanes.iter().rposition(|lane| lane.is_open() && lane.peer == *server) else {
            if self.dial(server, cx) {
                self.streams[at].stage = Stage::Dialing(servers);
            } else {
                self.fail_try(at, cx);
            }
            return true;
        };
        self.call(at, lane, server, cx)
    }

    fn call(&mut self, at: usize, lane: usize, server: &ActrId, cx: &mut Context<'_>) -> bool {
        let (stream, lane) = (&mut self.streams[at], &mut self.lanes[lane]);
        self.next_request += 1;
        let request_id = format!("{}-{}", cx.host, self.next_request);
        let envelope = Envelope::Request {
            request_id: request_id.clone(),
            route_key: ROUTE.into(),
            payload: request_payload(&stream.spec),
            metadata: vec![(RESUME_AFTER.into(), stream.resume.delivered().to_string())],
            timeout: Some(stream.resume.left(cx.now)),
        };
        let sent = lane
            .outbox
            .try_send(RecordKind::RpcReliable, &[], &envelope.encode(), lane.socket, cx);
        if sent.is_err() {
            // It is full, or closes: the next turn sees.
            return false;
        }
        cx.record("asks for stream {} behind frame {}", [stream.spec.number, stream.resume.delivered()]);
        stream.inbox = Some(Inbox::new(stream.spec.id(), server.clone()));
        stream.stage = Stage::Calling {
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
            self.fail_try(at, cx);
        }
    }

    /// A connection is lost, and with it the calls that went over it.
    pub(crate) fn fail_calls(&mut self, connection: ConnectionId, cx: &mut Context<'_>) {
        for at in 0..self.streams.len() {
            if matches!(self.streams[at].stage, Stage::Calling { connection: used, .. } if used == connection) {
                self.fail_try(at, cx);
            }
        }
    }

    /// A server can't be reached: those who wait for it try the next.
    pub(crate) fn dial_failed(&mut self, peer: &ActrId) {
        for stream in &mut self.streams {
            if let Stage::Dialing(servers) = &mut stream.stage
                && servers.first() == Some(peer)
            {
                servers.remove(0);
                stream.failed = Some(peer.clone());
                stream.stage = Stage::Choosing(std::mem::take(servers));
            }
        }
    }

    /// This try is over; the next one comes.
    fn fail_try(&mut self, at: usize, cx: &mut Context<'_>) {
        if let Some(inbox) = &self.streams[at].inbox {
            let server = inbox.expected.clone();
            self.streams[at].failed = Some(server);
        }
        self.drop_try(at, cx);
        self.streams[at].broke(cx);
        self.progress = true;
    }

    /// Takes back whatever belongs to the current try.
    fn drop_try(&mut self, at: usize, cx: &mut Context<'_>) {
        let stream = &mut self.streams[at];
        match &stream.stage {
            Stage::Asking(number) => self.link.forget(*number),
            Stage::Calling {
                connection, request_id, ..
            } => {
                let lane = self.lanes.iter_mut().find(|lane| lane.socket.connection == *connection);
                if let Some(lane) = lane.filter(|lane| lane.is_open()) {
                    let request_id = request_id.clone();
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
