use std::time::Duration;

use actr_lite_engine::resumption::{Action, End, Event, Failure, Seen, Unnamed};
use actr_lite_registry_client::{CANDIDATES, Candidate, REQUEST_TIMEOUT, Request, answer};
use actr_lite_wire::{
    identity::{ActrId, ActrType},
    resume,
};
use bytes::Bytes;
use rand::RngExt as _;

use crate::{
    client_stream::Question,
    context::{Context, earlier},
    exchange::{ExchangeId, NoAnswer, Reached, Reaching},
    inbox::{Inbox, StreamEnd, Taken},
    link::Answer,
    node::Node,
    routes::{ROGUE, ROUTE},
};

/// How many steps a stream may make in one moment: a try has half a dozen.
const MAX_STEPS: usize = 1000;

/// How far a stream may be given up too late: rounding, and what a turn takes.
const SLACK: Duration = Duration::from_millis(10);

/// What a client does for its streams: the shell around a resumption.
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
        if !stream.resumption.is_live() {
            let without = stream.without(cx.now);
            cx.check(without <= stream.timeout() + SLACK, || {
                format!("stream {} is not given up after {without:?}", stream.spec.number)
            });
        }
        let pace = stream.pace.next_at;
        let paced = (stream.inbox.is_some() && pace > cx.now).then_some(pace);
        let asked = stream.question.as_ref().map(|question| match question {
            Question::Discover { until, .. } => Some(*until),
            Question::Connect(reaching) => Some(reaching.until),
            Question::Call(_) => None,
        });
        earlier(earlier(paced, asked.flatten()), stream.wake)
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
                .iter()
                .find(|lane| inbox.source == Some(lane.socket.connection));
            let growth = lane.filter(|lane| lane.extended).map(|lane| &lane.growth);
            let had_room = inbox.has_room();
            match inbox.take(growth, &mut grants, cx.now) {
                Ok(Taken::Nothing) => {
                    // What was handed over last may have made room: then the connection is read again.
                    self.progress |= !had_room && inbox.has_room();
                    break;
                }
                Ok(Taken::Frame(frame)) => {
                    self.progress = true;
                    stream.deliver(frame.sequence, &frame.payload, cx);
                }
                Ok(Taken::Duplicate(number)) => {
                    self.progress = true;
                    stream.repeated(number, cx);
                }
                Ok(Taken::Gap) => {
                    self.progress = true;
                    is_useless = true;
                    break;
                }
                Err(error) => {
                    cx.fail(error.to_string());
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
            self.unsubscribe(at, StreamEnd::Gap, cx);
        }
    }

    /// One step of a stream's way to its end. False: nothing to do now.
    fn step(&mut self, at: usize, cx: &mut Context<'_>) -> bool {
        if self.streams[at].is_over() {
            return false;
        }
        if let Some(event) = self.ended(at).or_else(|| self.answer(at, cx)) {
            self.streams[at].resumption.handle(event);
            return true;
        }
        let seen = self.seen(at, cx);
        let stream = &mut self.streams[at];
        match stream.resumption.poll(cx.now, seen, cx.rng.random()) {
            Action::Wait(until) => {
                stream.wake = until;
                return false;
            }
            Action::Discover { timeout } => {
                let (number, until) = (self.ask_registry(cx), cx.now + timeout);
                self.streams[at].question = Some(Question::Discover { number, until });
            }
            Action::Connect { server, timeout } => {
                stream.question = Some(Question::Connect(Reaching::new(server, cx.now + timeout)));
            }
            Action::Ask { server, timeout } => self.ask(at, server, timeout, cx),
            Action::Release => self.release(at, cx),
            Action::TookOver(_) => stream.live(cx),
            Action::Broke(broken) => stream.broke(&broken, cx),
            Action::Complete => stream.complete(cx),
            Action::GiveUp(_) => stream.give_up(cx),
        }
        true
    }

    fn seen(&mut self, at: usize, cx: &mut Context<'_>) -> Seen {
        let stream = &self.streams[at];
        let server = stream.resumption.server();
        let lane = self
            .lanes
            .iter_mut()
            .rfind(|lane| lane.is_usable() && Some(&lane.peer) == server);
        let partial_len = lane.map_or(0, |lane| {
            // Who looks at a connection uses it for a moment.
            lane.enter(cx);
            lane.leave(cx);
            lane.partial_len()
        });
        Seen {
            delivered: stream.seen(),
            partial_len,
            registry_is_away: self.link.is_down(),
        }
    }

    /// What has become of the present server's stream, unless that was told.
    fn ended(&mut self, at: usize) -> Option<Event<StreamEnd, &'static str>> {
        let stream = &mut self.streams[at];
        let inbox = stream.inbox.as_ref()?;
        if let Some(end) = inbox.ended()
            && !stream.has_ended
            && (inbox.is_drained() || stream.is_complete())
        {
            stream.has_ended = true;
            let frames = stream.spec.frames;
            return Some(match end {
                StreamEnd::Finished => Event::Ended(End::Finished { frames }, end),
                _ => Event::Ended(End::Broken, end),
            });
        }
        let leaves = self.departures.contains(&inbox.expected) && !stream.resumption.is_leaving();
        leaves.then_some(Event::Leaves)
    }

    /// The answer to the question, if it is there or does not come any more.
    fn answer(&mut self, at: usize, cx: &mut Context<'_>) -> Option<Event<StreamEnd, &'static str>> {
        match self.streams[at].question.take()? {
            Question::Discover { number, until } => {
                let answer = self.link.take_answer(number);
                if answer.is_none() && cx.now < until {
                    self.streams[at].question = Some(Question::Discover { number, until });
                    return None;
                }
                self.link.forget(number);
                Some(match answer.and_then(|answer| self.named(answer, cx)) {
                    Some(servers) if servers.is_empty() => Event::Unnamed(Unnamed::NoServer, "there is no server"),
                    Some(servers) => Event::Named(servers),
                    None => Event::Unnamed(Unnamed::Silent, "the registry does not answer"),
                })
            }
            Question::Connect(mut reaching) => match self.reach(&mut reaching, cx) {
                Reached::Lane(lane) => {
                    self.lanes[lane].enter(cx);
                    self.lanes[lane].leave(cx);
                    Some(Event::Connected)
                }
                Reached::NotYet => {
                    self.streams[at].question = Some(Question::Connect(reaching));
                    None
                }
                Reached::Never => Some(Event::Unreachable),
            },
            question => {
                self.streams[at].question = Some(question);
                None
            }
        }
    }

    pub(crate) fn ask_registry(&mut self, cx: &mut Context<'_>) -> u64 {
        let request = Request::Candidates {
            target: server_type(),
            count: CANDIDATES as u32,
            fingerprint: String::new(),
        };
        self.link.request(request, REQUEST_TIMEOUT, cx.now)
    }

    /// The servers in an answer, whose addresses are noted.
    pub(crate) fn named(&mut self, answer: Answer, cx: &mut Context<'_>) -> Option<Vec<ActrId>> {
        let found = answer::candidates(answer.ok()?, CANDIDATES).ok()?;
        for Candidate { id, ws_address, .. } in &found {
            let address = ws_address.as_deref().and_then(|url| url.strip_prefix("ws://"));
            match address.map(str::parse) {
                Some(Ok(address)) => self.addresses.learn(id.clone(), address),
                _ => cx.fail("a candidate can't be read"),
            }
        }
        Some(found.into_iter().map(|candidate| candidate.id).collect())
    }

    /// Waits for a server's frames, and asks it for them.
    fn ask(&mut self, at: usize, server: ActrId, timeout: Duration, cx: &mut Context<'_>) {
        let stream = &mut self.streams[at];
        let (number, delivered) = (stream.spec.number, stream.seen());
        cx.record("asks for stream {} behind frame {}", [number, delivered]);
        stream.inbox = Some(Inbox::new(stream.spec.id(), server.clone(), delivered));
        stream.has_ended = false;
        let metadata = resume::metadata(delivered);
        let exchange = self.exchange(server, cx.now + timeout, ROUTE, number, metadata);
        self.streams[at].question = Some(Question::Call(exchange));
    }

    /// What came of a server's being asked. False: it was asked for something else.
    pub(crate) fn stream_answered(&mut self, id: ExchangeId, result: &Result<Bytes, NoAnswer>) -> bool {
        let mut streams = self.streams.iter_mut();
        let Some(stream) = streams.find(|stream| matches!(stream.question, Some(Question::Call(asked)) if asked == id))
        else {
            return false;
        };
        stream.question = None;
        let agreed = result.as_ref().is_ok_and(|payload| payload.first() == Some(&1));
        stream.resumption.handle(match agreed {
            true => Event::Agreed,
            false => Event::Failed(Failure::Transient, "it does not agree"),
        });
        true
    }

    /// Drops what belongs to the present server.
    fn release(&mut self, at: usize, cx: &mut Context<'_>) {
        match self.streams[at].question.take() {
            Some(Question::Connect(mut reaching)) => self.stop_reaching(&mut reaching, cx),
            Some(Question::Discover { number, .. }) => self.link.forget(number),
            Some(Question::Call(exchange)) => self.abandon_exchange(exchange, cx),
            _ => {}
        }
        self.unsubscribe(at, StreamEnd::Finished, cx);
        let stream = &mut self.streams[at];
        stream.released(cx.now);
        let (inbox, is_complete) = (stream.inbox.take(), stream.is_complete());
        let source = inbox.and_then(|inbox| inbox.source);
        let mut lanes = self.lanes.iter_mut();
        // A sender that knows no cancel goes on, and what it sends would be taken for the next one's.
        if let Some(lane) = lanes.find(|lane| Some(lane.socket.connection) == source && lane.is_open())
            && !lane.extended
            && !is_complete
        {
            lane.close();
        }
    }

    /// Ends the present inbox, and stops its sender.
    fn unsubscribe(&mut self, at: usize, end: StreamEnd, cx: &mut Context<'_>) {
        let Some(inbox) = &mut self.streams[at].inbox else {
            return;
        };
        inbox.abandon();
        if inbox.ended().is_some() {
            return;
        }
        inbox.end(end);
        let (source, stream_id) = (inbox.source, inbox.stream_id.clone());
        let mut lanes = self.lanes.iter();
        if let Some(lane) = lanes.position(|lane| Some(lane.socket.connection) == source && lane.is_open()) {
            self.cancel_incoming(&stream_id, lane, cx);
        }
    }

    /// Drops what is received, as if it were of no use, and asks for the rest again.
    pub(crate) fn renew_streams(&mut self, cx: &mut Context<'_>) {
        for at in 0..self.streams.len() {
            if !self.streams[at].is_over() && self.streams[at].inbox.is_some() {
                cx.record("drops what it has of stream {}", [self.streams[at].spec.number, 0]);
                self.unsubscribe(at, StreamEnd::Gap, cx);
            }
        }
    }

    /// The node stops: its streams are of no interest any more.
    pub(crate) fn stop_streams(&mut self, cx: &mut Context<'_>) {
        for at in 0..self.streams.len() {
            self.release(at, cx);
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

/// What those are that break the protocol.
pub(crate) fn rogue_type() -> ActrType {
    actr_type(ROGUE)
}

fn actr_type(name: &str) -> ActrType {
    ActrType::new("simulation", name, "1").unwrap_or_else(|error| unreachable!("{error}"))
}
