use std::time::Duration;

use actr_lite_engine::{outbox::Urgency, redials::Redials, resend::Resend};
use actr_lite_wire::{control::Control, envelope::Envelope, identity::ActrId, record::RecordKind};
use bytes::Bytes;

use crate::{
    context::{Context, earlier},
    exchange::{Exchange, ExchangeId, NoAnswer, Reached, Reaching, Sent},
    network::ConnectionId,
    node::Node,
};

/// The calls that a node makes: as the node's `exchange`.
impl Node {
    /// Begins a call.
    pub(crate) fn exchange(
        &mut self,
        peer: ActrId,
        until: Duration,
        route: &'static str,
        subject: u64,
        metadata: Vec<(String, String)>,
    ) -> ExchangeId {
        self.next_exchange += 1;
        let exchange = Exchange {
            reaching: Reaching::new(peer, until),
            route,
            payload: format!("{subject} {}", self.next_exchange).into(),
            metadata,
            redials: Redials::default(),
            sent: None,
        };
        self.exchanges.insert(self.next_exchange, exchange);
        self.progress = true;
        self.next_exchange
    }

    /// Does for each call what can be done. When to be called again.
    pub(crate) fn poll_exchanges(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for id in self.exchanges.keys().copied().collect::<Vec<_>>() {
            let Some(mut exchange) = self.exchanges.remove(&id) else {
                continue;
            };
            let over = match exchange.sent {
                Some(_) if cx.now >= exchange.reaching.until => Some(NoAnswer::TimedOut),
                Some(_) => {
                    self.send_again(&mut exchange, cx);
                    None
                }
                None => match self.reach(&mut exchange.reaching, cx) {
                    Reached::Never => Some(NoAnswer::Unreachable),
                    Reached::NotYet => None,
                    Reached::Lane(lane) => {
                        self.send_request(&mut exchange, lane, cx);
                        None
                    }
                },
            };
            wake = earlier(wake, Some(exchange.reaching.until));
            let again = exchange.sent.as_ref().and_then(|sent| sent.again.as_ref());
            wake = earlier(wake, again.and_then(|(_, resend)| resend.due(false)));
            self.exchanges.insert(id, exchange);
            if let Some(why) = over {
                self.abandon_exchange(id, cx);
                self.concluded(id, Err(why), cx);
            }
        }
        wake
    }

    /// Sends the request, unless the connection is full.
    fn send_request(&mut self, exchange: &mut Exchange, lane: usize, cx: &mut Context<'_>) {
        let lane = &mut self.lanes[lane];
        self.next_request += 1;
        let request_id = format!("{}-{}", cx.host, self.next_request);
        let envelope = Envelope::Request {
            request_id: request_id.as_str().into(),
            route_key: exchange.route.into(),
            payload: exchange.payload.clone(),
            metadata: exchange.metadata.clone(),
            trace: None,
            timeout: Some(exchange.reaching.until - cx.now),
        };
        let body = envelope.encode();
        lane.enter(cx);
        let sent = lane
            .outbox
            .try_send(RecordKind::RpcReliable, Urgency::Now, &[], &body, lane.socket, cx);
        if sent.is_err() {
            lane.leave(cx);
            return;
        }
        let may_be_deaf = !lane.extended && !lane.has_answered;
        exchange.sent = Some(Sent {
            connection: lane.socket.connection,
            request_id,
            again: may_be_deaf.then(|| (body.into(), Resend::new(cx.now))),
        });
        self.progress = true;
    }

    /// Sends a request again to a peer that has answered nothing yet.
    fn send_again(&mut self, exchange: &mut Exchange, cx: &mut Context<'_>) {
        let Some(sent) = &mut exchange.sent else { return };
        let Some((body, resend)) = &mut sent.again else {
            return;
        };
        let mut lanes = self.lanes.iter_mut();
        let lane = lanes.find(|lane| lane.socket.connection == sent.connection && lane.is_open());
        let due = lane.as_ref().and_then(|lane| resend.due(lane.has_answered));
        let (Some(lane), Some(at)) = (lane, due) else {
            sent.again = None;
            return;
        };
        if cx.now < at {
            return;
        }
        cx.record("sends a request again on connection {}", [sent.connection, 0]);
        let kind = RecordKind::RpcReliable;
        let _ = lane.outbox.try_send(kind, Urgency::Now, &[], body, lane.socket, cx);
        resend.sent(cx.now);
        self.progress = true;
    }

    /// A peer has answered.
    pub(crate) fn answered(
        &mut self,
        request_id: &str,
        answer: Result<Bytes, NoAnswer>,
        lane: usize,
        cx: &mut Context<'_>,
    ) {
        let lane = &mut self.lanes[lane];
        lane.has_answered = true;
        let asked = self.exchanges.iter().find(|(_, exchange)| {
            let sent = exchange.sent.as_ref();
            sent.is_some_and(|sent| sent.request_id == request_id && sent.connection == lane.socket.connection)
        });
        if let Some(id) = asked.map(|(id, _)| *id) {
            self.exchanges.remove(&id);
            lane.leave(cx);
            self.concluded(id, answer, cx);
        }
    }

    /// A connection is lost, and with it the calls that went over it, unless they may be made again.
    pub(crate) fn fail_calls(&mut self, connection: ConnectionId, is_unused: bool, cx: &mut Context<'_>) {
        let mut failed = Vec::new();
        for (id, exchange) in &mut self.exchanges {
            if exchange.sent.as_ref().is_none_or(|sent| sent.connection != connection) {
                continue;
            }
            if exchange.redials.may_redial(is_unused) {
                cx.record("makes a call again that met the end of connection {}", [connection, 0]);
                exchange.sent = None;
            } else {
                failed.push(*id);
            }
        }
        let why = if is_unused { NoAnswer::Unused } else { NoAnswer::Lost };
        for id in failed {
            self.exchanges.remove(&id);
            self.concluded(id, Err(why), cx);
        }
    }

    /// Nobody waits for the answer any more, which the peer is told.
    pub(crate) fn abandon_exchange(&mut self, id: ExchangeId, cx: &mut Context<'_>) {
        let Some(mut exchange) = self.exchanges.remove(&id) else {
            return;
        };
        self.stop_reaching(&mut exchange.reaching, cx);
        let Some(sent) = exchange.sent else { return };
        let mut lanes = self.lanes.iter_mut();
        let lane = lanes.find(|lane| lane.socket.connection == sent.connection && lane.is_open());
        if let Some(lane) = lane {
            let request_id = sent.request_id.as_str().into();
            lane.send_control(&Control::CallCancel { request_id }, cx);
            lane.leave(cx);
            self.progress = true;
        }
    }

    /// Whether one of its calls was made over this connection and waits for its answer.
    pub(crate) fn waits_for_answer(&self, connection: ConnectionId) -> bool {
        let mut sent = self.exchanges.values().filter_map(|exchange| exchange.sent.as_ref());
        sent.any(|sent| sent.connection == connection)
    }

    fn concluded(&mut self, id: ExchangeId, result: Result<Bytes, NoAnswer>, cx: &mut Context<'_>) {
        self.progress = true;
        if !self.stream_answered(id, &result) {
            self.call_answered(id, result, cx);
        }
    }
}
