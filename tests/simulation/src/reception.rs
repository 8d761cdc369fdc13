use std::time::Duration;

use actr_lite_wire::{
    control::Control,
    envelope::Envelope,
    frame,
    identity::{ActrId, StreamId},
    record::{self, DEFAULT_MAX_RECORD_LEN, RecordKind},
    resume::RESUME_AFTER,
};
use bytes::{Bytes, BytesMut};
use rand::RngExt as _;

use crate::{
    context::Context,
    inbox::{Pushed, StreamEnd},
    network::ConnectionId,
    node::{Node, ROUTE, Serve, Serving},
    outgoing::Outgoing,
    stream_spec::StreamSpec,
};

/// The frames of one stream in one message.
struct Run {
    stream_id: StreamId,
    records: BytesMut,
    last_len: usize,
}

/// What a node does with a message: as the node's session receiver.
impl Node {
    pub(crate) fn receive(&mut self, at: usize, message: &Bytes, cx: &mut Context<'_>) {
        let mut runs = Vec::new();
        for span in record::spans(message) {
            let span = match span {
                Ok(span) => span,
                Err(error) => {
                    cx.fail(format!("{} sent what is not a record: {error}", self.lanes[at].peer));
                    return;
                }
            };
            let is_alone = span.start == 0 && span.end == message.len();
            cx.check(self.lanes[at].extended || is_alone, || {
                "several records in one message".into()
            });
            let body = message.slice(span.body_start()..span.end);
            match span.kind {
                RecordKind::StreamReliable | RecordKind::StreamLatencyFirst => {
                    self.gather(&mut runs, &body, &message[span.start..span.end], at, cx);
                }
                kind => {
                    self.flush(&mut runs, at, cx);
                    match kind {
                        RecordKind::RpcReliable | RecordKind::RpcSignal => self.envelope(body, at, cx),
                        RecordKind::Part => match self.lanes[at].partial.push(&body, DEFAULT_MAX_RECORD_LEN) {
                            Ok(Some(record)) => {
                                self.lanes[at].whole_records += 1;
                                self.receive(at, &record, cx);
                            }
                            Ok(None) => {}
                            Err(error) => cx.fail(error.to_string()),
                        },
                        kind => match Control::decode(kind, body) {
                            Ok(control) => self.control(control, at, cx),
                            Err(error) => cx.fail(error.to_string()),
                        },
                    }
                }
            }
        }
        self.flush(&mut runs, at, cx);
    }

    fn gather(&mut self, runs: &mut Vec<Run>, body: &[u8], record: &[u8], at: usize, cx: &mut Context<'_>) {
        let stream_id: StreamId = match frame::stream_id_of(body).map(|id| String::from_utf8_lossy(id).parse()) {
            Ok(Ok(stream_id)) => stream_id,
            error => {
                cx.fail(format!("a frame's stream can't be read: {error:?}"));
                return;
            }
        };
        if let Some(run) = runs.iter_mut().find(|run| run.stream_id == stream_id) {
            run.records.extend_from_slice(record);
            run.last_len = record.len();
        } else if self.route(&stream_id, at, cx) {
            runs.push(Run {
                stream_id,
                records: record.into(),
                last_len: record.len(),
            });
        }
    }

    /// Whether this stream is registered; otherwise the sender is told.
    fn route(&mut self, stream_id: &StreamId, at: usize, cx: &mut Context<'_>) -> bool {
        let lane = &mut self.lanes[at];
        if lane.bound.contains(stream_id) {
            return true;
        }
        if lane.extended && lane.unwanted.contains(stream_id) {
            return false;
        }
        if self.bind(stream_id, at) {
            return true;
        }
        let lane = &mut self.lanes[at];
        if lane.unwanted.insert(stream_id.clone()) {
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
            lane.bound.insert(stream_id.clone());
        }
        is_bound
    }

    fn flush(&mut self, runs: &mut Vec<Run>, at: usize, cx: &mut Context<'_>) {
        for run in runs.drain(..) {
            let lane = &mut self.lanes[at];
            let connection = lane.socket.connection;
            let inbox = self
                .streams
                .iter_mut()
                .filter_map(|stream| stream.inbox.as_mut())
                .find(|inbox| inbox.stream_id == run.stream_id && inbox.source == Some(connection));
            let pushed = inbox.map_or(Pushed::Ended, |inbox| {
                inbox.push(run.records.freeze(), run.last_len, lane.extended, cx)
            });
            match pushed {
                Pushed::Taken => {}
                Pushed::Full => {
                    cx.record("reads connection {} no more for now", [connection, 0]);
                    lane.full = Some(run.stream_id);
                }
                Pushed::Ended => self.cancel_incoming(&run.stream_id, at, cx),
            }
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
        if lane.bound.remove(stream_id) && lane.unwanted.insert(stream_id.clone()) {
            let cancel = Control::Cancel {
                stream_id: stream_id.clone(),
                reason: "the subscription is over".into(),
            };
            lane.send_control(&cancel, cx);
        }
    }

    fn envelope(&mut self, body: Bytes, at: usize, cx: &mut Context<'_>) {
        match Envelope::decode(body) {
            Ok(Envelope::Request {
                request_id,
                route_key,
                payload,
                metadata,
                ..
            }) => {
                let text = String::from_utf8_lossy(&payload);
                let (Ok(stream), true) = (text.parse(), route_key == ROUTE) else {
                    cx.fail("a request can't be read");
                    return;
                };
                let entry = metadata.iter().find(|(key, _)| key == RESUME_AFTER);
                let after = entry.map_or(Ok(0), |(_, value)| value.parse());
                let Ok(after) = after else {
                    cx.fail("a resumption can't be read");
                    return;
                };
                let delay = cx.rng.random_range(0..=self.manner.longest_handling.as_micros() as u64);
                self.servings.push(Serving {
                    connection: self.lanes[at].socket.connection,
                    request_id: request_id.into_string(),
                    ready_at: cx.now + Duration::from_micros(delay),
                    stage: Serve::Asked {
                        stream,
                        after: if self.manner.knows_hint { after } else { 0 },
                    },
                });
            }
            Ok(Envelope::Response { request_id, result, .. }) => {
                let agreed = result.is_ok_and(|payload| payload.first() == Some(&1));
                self.answered(request_id.as_str(), agreed, cx);
            }
            other => cx.fail(format!("not a call: {other:?}")),
        }
    }

    /// The handler: opens the stream that was asked for, unless it is being sent already.
    pub(crate) fn open_stream(
        &mut self,
        connection: ConnectionId,
        stream: usize,
        after: u64,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(spec) = self.manner.streams.get(stream).cloned() else {
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
        lane.outgoing.push(Outgoing::new(stream_id, spec, after, cx.now));
        true
    }

    fn control(&mut self, control: Control, at: usize, cx: &mut Context<'_>) {
        let lane = &mut self.lanes[at];
        let find = |outgoing: &Outgoing, stream_id: &StreamId| outgoing.stream_id == *stream_id;
        match control {
            Control::Credit { stream_id, bytes } => {
                if let Some(outgoing) = lane.outgoing.iter_mut().find(|outgoing| find(outgoing, &stream_id))
                    && let Err(error) = outgoing.grant(bytes)
                {
                    cx.fail(error.to_string());
                }
            }
            Control::Cancel { stream_id, .. } => {
                if let Some(outgoing) = lane.outgoing.iter_mut().find(|outgoing| find(outgoing, &stream_id)) {
                    cx.record("is to stop a stream on connection {}", [lane.socket.connection, 0]);
                    outgoing.cancel();
                }
            }
            Control::End { stream_id, .. } => self.finish(&stream_id, StreamEnd::Finished, at),
            Control::Error { stream_id, .. } => {
                cx.record(
                    "is told to look elsewhere on connection {}",
                    [lane.socket.connection, 0],
                );
                self.finish(&stream_id, StreamEnd::Failed, at);
            }
            Control::Leaving => {
                let peer = lane.peer.clone();
                self.departures.insert(peer);
            }
            Control::CallCancel { request_id } => {
                self.servings.retain(|serving| request_id != serving.request_id);
            }
        }
    }

    /// The sender confirms that no more frames come.
    fn finish(&mut self, stream_id: &StreamId, end: StreamEnd, at: usize) {
        let lane = &mut self.lanes[at];
        if lane.unwanted.remove(stream_id) {
            return;
        }
        let was_bound = lane.bound.remove(stream_id) || self.bind(stream_id, at);
        let lane = &mut self.lanes[at];
        lane.bound.remove(stream_id);
        if !was_bound {
            return;
        }
        let connection = lane.socket.connection;
        for inbox in self.streams.iter_mut().filter_map(|stream| stream.inbox.as_mut()) {
            if inbox.stream_id == *stream_id && inbox.source == Some(connection) {
                lane.growth += inbox.grown();
                inbox.end(end);
            }
        }
    }

    /// A connection has ended: its calls fail, and what it fed, or would have fed, ends.
    pub(crate) fn peer_gone(&mut self, connection: ConnectionId, peer: &ActrId, cx: &mut Context<'_>) {
        self.fail_calls(connection, cx);
        for inbox in self.streams.iter_mut().filter_map(|stream| stream.inbox.as_mut()) {
            let waits = inbox.source.is_none() && inbox.expected == *peer;
            if waits || inbox.source == Some(connection) {
                inbox.end(StreamEnd::PeerGone);
            }
        }
    }
}

/// What is asked for: the stream's number.
pub(crate) fn request_payload(spec: &StreamSpec) -> Bytes {
    spec.number.to_string().into_bytes().into()
}
