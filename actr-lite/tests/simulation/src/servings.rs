use std::time::Duration;

use actr_lite_engine::{outbox::Urgency, patience::Patience};
use actr_lite_manifest::Limits;
use actr_lite_wire::{
    envelope::{Envelope, ErrorReply, metadata_cost},
    error_code::ErrorCode,
    peer_text::RawText,
    record::RecordKind,
    resume::{self, RESUME_AFTER},
};
use bytes::Bytes;
use rand::RngExt as _;

use crate::{
    context::{Context, earlier},
    network::ConnectionId,
    node::Node,
    outbox::Refused,
    outgoing::Outgoing,
    routes::{ECHO, ROUTE},
    serving::{Serving, Stage},
};

/// What a node does for those that call it.
impl Node {
    /// A request came: it is served, unless the connection is closed as unused.
    pub(crate) fn asked(
        &mut self,
        at: usize,
        request_id: String,
        route: &str,
        payload: &Bytes,
        metadata: &[(String, String)],
        cx: &mut Context<'_>,
    ) {
        let lane = &mut self.lanes[at];
        if !lane.usage.enter() {
            cx.record("does not serve a call on connection {}", [lane.socket.connection, 0]);
            return;
        }
        lane.used_at = cx.now;
        let shared: RawText = request_id.as_str().into();
        if lane.served.is_known(&shared) {
            cx.record("is asked again on connection {}", [lane.socket.connection, 0]);
            lane.leave(cx);
            return;
        }
        let text = String::from_utf8_lossy(payload);
        let numbers = text.split_once(' ');
        let numbers = numbers.and_then(|(subject, exchange)| Some((subject.parse().ok()?, exchange.parse().ok()?)));
        let route = [ROUTE, ECHO].into_iter().find(|known| *known == route);
        let entry = metadata.iter().find(|(key, _)| key == RESUME_AFTER);
        let after = entry.map_or(Some(0), |(_, value)| resume::parse(value));
        let (Some((subject, exchange)), Some(route), Some(after)) = (numbers, route, after) else {
            cx.check(lane.is_of_rogue(), || "a request can't be read".into());
            return self.refuse_call(at, &shared, "it can't be read", cx);
        };
        let texts = request_id.len() + route.len();
        let places = lane.account().call(payload.len() + texts + metadata_cost(metadata));
        let places = match places {
            Ok(places) => places,
            Err(limit) => {
                cx.check(lane.is_of_rogue(), || format!("a call is refused: {limit}"));
                return self.refuse_call(at, &shared, &limit.to_string(), cx);
            }
        };
        lane.served.begin(shared.into(), ());
        let delay = cx.rng.random_range(0..=self.manner.longest_handling.as_micros() as u64);
        self.servings.push(Serving {
            connection: lane.socket.connection,
            request_id,
            route,
            ready_at: cx.now + Duration::from_micros(delay),
            _places: places,
            held: None,
            patience: None,
            stage: Stage::Asked {
                payload: payload.clone(),
                subject,
                exchange,
                after: if self.manner.knows_hint { after } else { 0 },
            },
        });
    }

    pub(crate) fn poll_servings(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for mut serving in std::mem::take(&mut self.servings) {
            if cx.now < serving.ready_at {
                wake = earlier(wake, Some(serving.ready_at));
                self.servings.push(serving);
                continue;
            }
            if matches!(serving.stage, Stage::Asked { .. }) {
                let answer = self.serve(&serving, cx);
                serving.stage = Stage::Answered(answer);
                self.progress = true;
            }
            let lane = self
                .lanes
                .iter()
                .position(|lane| lane.socket.connection == serving.connection && lane.is_open());
            let (Some(at), Stage::Answered(answer)) = (lane, &serving.stage) else {
                continue;
            };
            let lane = &mut self.lanes[at];
            let sent = lane
                .outbox
                .try_send(RecordKind::RpcReliable, Urgency::Now, &[], answer, lane.socket, cx);
            match sent {
                Err(Refused::Full) => {
                    let (sent, timeout) = (lane.outbox.sent(), Limits::default().stall_timeout.duration());
                    if serving.held.is_none() {
                        serving.held = lane.account().hold(answer.len()).ok();
                    }
                    let patience = &mut serving.patience;
                    let patience = patience.get_or_insert_with(|| Patience::new(timeout, sent, cx.now));
                    match patience.deadline(sent, cx.now).filter(|_| serving.held.is_some()) {
                        Some(deadline) => wake = earlier(wake, Some(deadline)),
                        None => lane.overwhelmed(),
                    }
                    self.servings.push(serving);
                }
                Err(Refused::OverShare(_)) => {
                    lane.overwhelmed();
                    self.served(at, &serving.request_id, cx);
                }
                Ok(()) | Err(Refused::Closed) => {
                    self.progress = true;
                    self.served(at, &serving.request_id, cx);
                }
            }
        }
        wake
    }

    /// Answers a call that is not served. There may be no room for more, so the answer can't wait for it.
    fn refuse_call(&mut self, at: usize, request_id: &RawText, why: &str, cx: &mut Context<'_>) {
        cx.record("refuses a call on connection {}", [self.lanes[at].socket.connection, 0]);
        let lane = &mut self.lanes[at];
        lane.leave(cx);
        let answer = Envelope::Response {
            request_id: request_id.clone(),
            route_key: ECHO.into(),
            result: Err(ErrorReply {
                code: ErrorCode::Unavailable,
                message: why.into(),
            }),
        };
        let kind = RecordKind::RpcReliable;
        let sent = lane
            .outbox
            .try_send(kind, Urgency::Now, &[], &answer.encode(), lane.socket, cx);
        if let Err(Refused::Full | Refused::OverShare(_)) = sent {
            lane.overwhelmed();
        }
    }

    /// A call was served, or given up.
    pub(crate) fn served(&mut self, at: usize, request_id: &str, cx: &mut Context<'_>) {
        let lane = &mut self.lanes[at];
        let known = lane.served.finish(&request_id.into());
        cx.check(known.is_some(), || "a call is served that never came".into());
        lane.leave(cx);
    }

    fn serve(&mut self, serving: &Serving, cx: &mut Context<'_>) -> Vec<u8> {
        let result = match self.is_leaving() {
            true => Err(ErrorReply {
                code: ErrorCode::Unavailable,
                message: "this node is shutting down".into(),
            }),
            false => Ok(self.handle(serving, cx)),
        };
        Envelope::Response {
            request_id: serving.request_id.as_str().into(),
            route_key: serving.route.into(),
            result,
        }
        .encode()
    }

    /// The handler's turn.
    fn handle(&mut self, serving: &Serving, cx: &mut Context<'_>) -> Bytes {
        let Stage::Asked {
            payload,
            subject,
            exchange,
            after,
        } = &serving.stage
        else {
            return Bytes::new();
        };
        let connection = serving.connection;
        let lane = self.lanes.iter().find(|lane| lane.socket.connection == connection);
        if let Some(lane) = lane {
            cx.check(!lane.is_retired, || {
                "a connection that is closed as unused serves a call".into()
            });
            let is_new = self.handled.insert((lane.peer.clone(), *exchange));
            cx.check(is_new, || format!("call {exchange} of {} is served again", lane.peer));
        }
        if serving.route == ECHO {
            return payload.clone();
        }
        vec![u8::from(self.open_stream(connection, *subject, *after, cx))].into()
    }

    /// Opens the stream that was asked for, unless it is being sent already.
    fn open_stream(&mut self, connection: ConnectionId, stream: u64, after: u64, cx: &mut Context<'_>) -> bool {
        let Some(spec) = self.manner.streams.get(stream as usize).cloned() else {
            cx.fail("an unknown stream was asked for");
            return false;
        };
        let lane = self
            .lanes
            .iter_mut()
            .find(|lane| lane.socket.connection == connection && lane.is_open());
        let Some(lane) = lane else { return false };
        let stream_id = spec.id();
        if lane.outgoing.iter().any(|outgoing| outgoing.stream_id == stream_id) {
            cx.record("sends stream {} already", [spec.number, 0]);
            return false;
        }
        cx.record("opens stream {} behind frame {}", [spec.number, after]);
        match Outgoing::new(lane.account(), spec, after, lane.extended, cx.now) {
            Ok(outgoing) => {
                lane.join(cx);
                lane.outgoing.push(outgoing);
                true
            }
            Err(limit) => {
                cx.check(lane.is_of_rogue(), || format!("a stream is refused: {limit}"));
                false
            }
        }
    }
}
