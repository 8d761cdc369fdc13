use actr_lite_engine::{
    connection::End,
    inbox::Pushed,
    incoming::{Finished, Route},
    memory::Memory as _,
    message_reader::Receive,
    receive_error::ReceiveError,
    runs::Run,
};
use actr_lite_quota::Limit;
use actr_lite_wire::{
    control::Control,
    envelope::Envelope,
    identity::{ActrId, StreamId},
};
use bytes::Bytes;

use crate::{
    context::Context, exchange::NoAnswer, inbox::StreamEnd, network::ConnectionId, node::Node, outgoing::Outgoing,
    serving::Serving,
};

/// What a node does with what comes over one of its lanes.
struct Receiving<'a, 'b> {
    node: &'a mut Node,
    /// Which lane.
    at: usize,
    cx: &'a mut Context<'b>,
}

impl Receive for Receiving<'_, '_> {
    type Inbox = ();

    fn route(&mut self, stream_id: &str) -> Result<Option<(StreamId, ())>, ReceiveError> {
        let stream_id = stream_id.parse().map_err(|_| ReceiveError::StreamId)?;
        let is_registered = self.node.route(&stream_id, self.at, self.cx);
        Ok(is_registered.then_some((stream_id, ())))
    }

    fn deliver(&mut self, message: &Bytes, run: Run<()>) {
        self.node.deliver(message, run, self.at, self.cx);
    }

    fn envelope(&mut self, body: Bytes, _: usize) -> Result<(), ReceiveError> {
        self.node.envelope(body, self.at, self.cx)
    }

    fn control(&mut self, control: Control) -> Result<(), ReceiveError> {
        self.node.control(control, self.at, self.cx)
    }

    fn hold_partial(&mut self, len: usize) -> Result<(), Limit> {
        self.node.lanes[self.at].partial_held.cover(len)
    }

    fn partial_came(&mut self, len: usize) {
        if len == 0 {
            self.node.lanes[self.at].partial_held.shrink(0);
        }
    }
}

/// What a node does with a message, around the reader that takes it apart.
impl Node {
    pub(crate) fn receive(&mut self, at: usize, message: &Bytes, cx: &mut Context<'_>) -> Result<(), End> {
        let Some(mut reader) = self.lanes[at].reader.take() else {
            return Ok(());
        };
        let read = reader.read(message, &mut Receiving { node: self, at, cx });
        self.lanes[at].reader = Some(reader);
        read.map_err(|error| End::Protocol(error.close_code(), error.to_string()))
    }

    /// Whether this stream is registered; otherwise the sender is told.
    fn route(&mut self, stream_id: &StreamId, at: usize, cx: &mut Context<'_>) -> bool {
        let lane = &mut self.lanes[at];
        match lane.incoming.route(stream_id.as_str()) {
            Route::To(()) => return true,
            Route::Unwanted if lane.extended => return false,
            Route::Unwanted | Route::Unknown => {}
        }
        if self.bind(stream_id, at) {
            return true;
        }
        let lane = &mut self.lanes[at];
        if lane.refuse_incoming(stream_id.clone()) {
            cx.record("refuses a stream on connection {}", [lane.socket.connection, 0]);
            let cancel = Control::Cancel {
                stream_id: stream_id.clone(),
                reason: "the stream is not registered here".into(),
            };
            lane.send_control(&cancel, cx);
        }
        false
    }

    /// Lets a connection feed the inbox of a stream, if there is one that takes it.
    fn bind(&mut self, stream_id: &StreamId, at: usize) -> bool {
        let lane = &mut self.lanes[at];
        let inbox = self
            .streams
            .iter_mut()
            .filter_map(|stream| stream.inbox.as_mut())
            .find(|inbox| inbox.stream_id == *stream_id);
        let is_bound = inbox.is_some_and(|inbox| inbox.bind(lane.socket.connection, &lane.peer));
        if is_bound {
            lane.incoming.bind(stream_id.clone(), ());
        }
        is_bound
    }

    fn deliver(&mut self, message: &Bytes, run: Run<()>, at: usize, cx: &mut Context<'_>) {
        let lane = &mut self.lanes[at];
        let (connection, stream_id) = (lane.socket.connection, run.stream_id.clone());
        let inbox = self
            .streams
            .iter_mut()
            .filter_map(|stream| stream.inbox.as_mut())
            .find(|inbox| inbox.stream_id == stream_id && inbox.source == Some(connection));
        let pushed = inbox.map_or(Pushed::Ended, |inbox| inbox.push(message, run, lane.extended, cx));
        match pushed {
            Pushed::Taken => {}
            Pushed::Full => {
                cx.record("reads connection {} no more for now", [connection, 0]);
                lane.full = Some(stream_id);
            }
            Pushed::Ended => self.cancel_incoming(&stream_id, at, cx),
        }
    }

    pub(crate) fn has_room(&self, stream_id: &StreamId, connection: ConnectionId) -> bool {
        let mut inboxes = self.streams.iter().filter_map(|stream| stream.inbox.as_ref());
        let inbox = inboxes.find(|inbox| inbox.stream_id == *stream_id && inbox.source == Some(connection));
        inbox.is_none_or(|inbox| inbox.has_room())
    }

    /// This node wants no more of a stream.
    pub(crate) fn cancel_incoming(&mut self, stream_id: &StreamId, at: usize, cx: &mut Context<'_>) {
        let lane = &mut self.lanes[at];
        if lane.cancel_incoming(stream_id, cx) {
            let cancel = Control::Cancel {
                stream_id: stream_id.clone(),
                reason: "the subscription is over".into(),
            };
            lane.send_control(&cancel, cx);
        }
    }

    fn envelope(&mut self, body: Bytes, at: usize, cx: &mut Context<'_>) -> Result<(), ReceiveError> {
        match Envelope::decode(body) {
            Ok(Envelope::Request {
                request_id,
                route_key,
                payload,
                metadata,
                ..
            }) => {
                self.asked(
                    at,
                    request_id.into_string(),
                    route_key.as_str(),
                    &payload,
                    &metadata,
                    cx,
                );
            }
            Ok(Envelope::Response { request_id, result, .. }) => {
                let answer = result.map_err(|_| NoAnswer::Refused);
                self.answered(request_id.as_str(), answer, at, cx);
            }
            Err(error) if error.is_fatal() => return Err(error.into()),
            other => cx.check(self.lanes[at].is_of_rogue(), || format!("not a call: {other:?}")),
        }
        Ok(())
    }

    fn control(&mut self, control: Control, at: usize, cx: &mut Context<'_>) -> Result<(), ReceiveError> {
        let lane = &mut self.lanes[at];
        let find = |outgoing: &Outgoing, stream_id: &StreamId| outgoing.stream_id == *stream_id;
        match control {
            Control::Credit { stream_id, bytes } => {
                if let Some(outgoing) = lane.outgoing.iter_mut().find(|outgoing| find(outgoing, &stream_id)) {
                    outgoing.grant(bytes)?;
                }
            }
            Control::Cancel { stream_id, .. } => {
                if let Some(outgoing) = lane.outgoing.iter_mut().find(|outgoing| find(outgoing, &stream_id)) {
                    cx.record("is to stop a stream on connection {}", [lane.socket.connection, 0]);
                    outgoing.cancel();
                }
            }
            Control::End { stream_id, .. } => self.finish(&stream_id, StreamEnd::Finished, at, cx),
            Control::Error { stream_id, .. } => {
                cx.record(
                    "is told to look elsewhere on connection {}",
                    [lane.socket.connection, 0],
                );
                self.finish(&stream_id, StreamEnd::Failed, at, cx);
            }
            Control::Leaving => {
                let peer = lane.peer.clone();
                self.departures.insert(peer);
            }
            Control::CallCancel { request_id } => {
                if lane.served.find(&request_id).is_some() {
                    cx.record("is to stop a call on connection {}", [lane.socket.connection, 0]);
                    let connection = lane.socket.connection;
                    let is_other = |serving: &Serving| {
                        serving.connection != connection || request_id.as_str() != serving.request_id
                    };
                    self.servings.retain(is_other);
                    self.served(at, request_id.as_str(), cx);
                }
            }
        }
        Ok(())
    }

    /// The sender confirms that no more frames come.
    fn finish(&mut self, stream_id: &StreamId, end: StreamEnd, at: usize, cx: &mut Context<'_>) {
        match self.lanes[at].incoming.finish(stream_id.as_str(), cx.now) {
            Finished::Unwanted => return,
            Finished::Fed(()) => {}
            Finished::Unknown if self.bind(stream_id, at) => {
                self.lanes[at].incoming.finish(stream_id.as_str(), cx.now);
            }
            Finished::Unknown => return,
        }
        let lane = &mut self.lanes[at];
        let connection = lane.socket.connection;
        for inbox in self.streams.iter_mut().filter_map(|stream| stream.inbox.as_mut()) {
            if inbox.stream_id == *stream_id && inbox.source == Some(connection) {
                inbox.end(end);
            }
        }
    }

    /// A connection has ended: its calls fail, and what it fed, or would have fed, ends.
    pub(crate) fn peer_gone(&mut self, connection: ConnectionId, peer: &ActrId, is_unused: bool, cx: &mut Context<'_>) {
        self.fail_calls(connection, is_unused, cx);
        for inbox in self.streams.iter_mut().filter_map(|stream| stream.inbox.as_mut()) {
            let waits = inbox.source.is_none() && inbox.expected == *peer;
            if waits || inbox.source == Some(connection) {
                inbox.end(StreamEnd::PeerGone);
            }
        }
    }
}
