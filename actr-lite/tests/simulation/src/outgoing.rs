use std::{sync::Arc, time::Duration};

use actr_lite_engine::{
    accounts::PeerAccount,
    held_bytes::HeldBytes,
    latency_first::{Attempt, FLUSH_TIMEOUT, HeldUp, LatencyFirst},
    outbox::{SendRefused, Urgency},
    outgoing::{Failure, OutgoingStream, add_grant},
    patience::Patience,
};
use actr_lite_manifest::Limits;
use actr_lite_quota::{Limit, Permit};
use actr_lite_wire::{
    control::Control,
    credit::{CreditError, INITIAL_WINDOW},
    error_code::ErrorCode,
    identity::StreamId,
    record::{HEADER_LEN, RecordKind},
};

use crate::{context::Context, network::Socket, outbox::Outbox, stream_spec::StreamSpec, waiters::Ticket};

/// A stream that a server sends: as the node's `StreamSender`, with the server's loop around it.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) stream_id: StreamId,
    spec: StreamSpec,
    outgoing: OutgoingStream,
    /// Credit that came and was not counted by the sender yet.
    granted: u64,
    next_at: Duration,
    next: Option<Vec<u8>>,
    /// The receiver wants no more.
    is_cancelled: bool,
    is_waiting: bool,
    /// It waits for room, or has waited and not sent since.
    ticket: Option<Ticket>,
    /// How its frames go if they may be dropped.
    latency_first: Option<LatencyFirst<HeldBytes>>,
    /// Until when the end waits for what is queued.
    flush_until: Option<Duration>,
    /// Behind which frame it began, and how many have left since.
    after: u64,
    left: u64,
    account: Arc<PeerAccount>,
    _places: [Permit; 2],
    /// For the frame that waits.
    held: Option<Permit>,
    /// How long it waits.
    patience: Option<Patience>,
    /// Why it ends before its end.
    failed: Option<Failure>,
    /// All that was ever granted and sent: the plain sums against which the credit is held.
    sums: (u64, u64),
}

/// How a sender's turn ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All frames are out, or it was cancelled: the stream is over.
    Over,
    /// Not before this time.
    Later(Duration),
    /// There is no credit or no room; it is waited for until then.
    Waits(Duration),
    /// The connection closes.
    Closed,
}

impl Outgoing {
    /// A stream whose receiver has the frames up to the number `after`.
    pub(crate) fn new(
        account: &Arc<PeerAccount>,
        spec: StreamSpec,
        after: u64,
        extended: bool,
        now: Duration,
    ) -> Result<Self, Limit> {
        let stream_id = spec.id();
        Ok(Self {
            // Without the extension nobody says that it ended if its last frames were dropped.
            latency_first: (spec.is_latency_first && extended)
                .then(|| LatencyFirst::new(true, HeldBytes::new(Arc::clone(account), 0))),
            flush_until: None,
            after,
            left: 0,
            account: Arc::clone(account),
            _places: account.stream()?,
            held: None,
            patience: None,
            failed: None,
            outgoing: OutgoingStream::new(stream_id.clone(), after, extended),
            stream_id,
            spec,
            granted: 0,
            next_at: now,
            next: None,
            is_cancelled: false,
            is_waiting: false,
            ticket: None,
            sums: (INITIAL_WINDOW, 0),
        })
    }

    pub(crate) fn grant(&mut self, bytes: u64) -> Result<(), CreditError> {
        self.granted = add_grant(self.granted, bytes)?;
        self.sums.0 += bytes;
        Ok(())
    }

    pub(crate) fn cancel(&mut self) {
        self.is_cancelled = true;
    }

    /// Sends what it can.
    pub(crate) fn poll(&mut self, extended: bool, outbox: &mut Outbox, socket: Socket, cx: &mut Context<'_>) -> Sent {
        if let Some(mut latency_first) = self.latency_first.take() {
            let sent = self.poll_latency_first(&mut latency_first, outbox, socket, cx);
            self.latency_first = Some(latency_first);
            return sent;
        }
        loop {
            if self.is_cancelled || self.failed.is_some() || self.outgoing.sequence() >= self.spec.frames {
                self.has_room(outbox);
                return Sent::Over;
            }
            if self.ticket.is_some_and(|ticket| !outbox.is_told(ticket)) {
                return self.wait(outbox, cx);
            }
            if cx.now < self.next_at {
                return Sent::Later(self.next_at);
            }
            if !self.outgoing.may_send() {
                self.outgoing.grant(std::mem::take(&mut self.granted));
            }
            if !self.outgoing.may_send() {
                let (granted, spent) = self.sums;
                cx.check(granted <= spent, || {
                    format!(
                        "{}: {spent} bytes sent of {granted} granted, and yet no credit",
                        self.stream_id
                    )
                });
                self.tell("waits for credit for stream {}", cx);
                return self.wait(outbox, cx);
            }
            let sequence = self.outgoing.sequence() + 1;
            let payload = match self.next.take() {
                Some(payload) => payload,
                None => self.spec.payload(sequence),
            };
            let head = self.outgoing.head(sequence, payload.len());
            let len = head.len() + payload.len();
            match outbox.try_send(RecordKind::StreamReliable, Urgency::Pause, head, &payload, socket, cx) {
                Ok(()) => {}
                Err(refused) => {
                    self.next = Some(payload);
                    match refused {
                        SendRefused::Full => {
                            self.tell("waits for room for stream {}", cx);
                            if let Some(ticket) = self.ticket.replace(outbox.wait()) {
                                outbox.forget(ticket);
                            }
                            continue;
                        }
                        SendRefused::OverShare(limit) => self.fail(limit.to_string()),
                        SendRefused::Closed => return Sent::Closed,
                    }
                }
            }
            if extended {
                cx.check(self.sums.1 < self.sums.0, || {
                    format!("{}: a frame was sent without credit", self.stream_id)
                });
                self.sums.1 += (HEADER_LEN + len) as u64;
            }
            self.has_room(outbox);
            (self.held, self.patience) = (None, None);
            self.outgoing.sent(sequence, len);
            self.is_waiting = false;
            cx.record("sends frame {} of stream {}", [sequence, self.spec.number]);
            self.next_at = cx.now + self.spec.pace;
        }
    }

    /// Sends what is due of a stream whose frames may be dropped.
    fn poll_latency_first(
        &mut self,
        frames: &mut LatencyFirst<HeldBytes>,
        outbox: &mut Outbox,
        socket: Socket,
        cx: &mut Context<'_>,
    ) -> Sent {
        let (granted, left) = (&mut self.granted, &mut self.left);
        let mut take = || std::mem::take(granted);
        let mut send = |head: &[u8], payload: &[u8], outbox: &mut Outbox, cx: &mut Context<'_>| {
            let kind = RecordKind::StreamLatencyFirst;
            outbox.try_send(kind, Urgency::Pause, head, payload, socket, cx)?;
            *left += 1;
            Ok(())
        };
        let mut held_up = frames.advance(&mut take, |frame| send(frame, &[], outbox, cx));
        while !self.is_cancelled && self.outgoing.sequence() < self.spec.frames && cx.now >= self.next_at {
            let sequence = self.outgoing.sequence() + 1;
            let payload = self.spec.payload(sequence);
            let head = self.outgoing.head(sequence, payload.len());
            let len = head.len() + payload.len();
            match frames.try_send(len, &mut take, || send(head, &payload, outbox, cx)) {
                Attempt::Sent => cx.record("sends frame {} of stream {}", [sequence, self.spec.number]),
                Attempt::Closed => return Sent::Closed,
                Attempt::Congested => {
                    cx.record("queues frame {} of stream {}", [sequence, self.spec.number]);
                    let frame = [head, &payload].concat();
                    held_up = frames.queue(frame, &mut take, |frame| send(frame, &[], outbox, cx));
                }
            }
            self.outgoing.skip_to(sequence);
            self.next_at = cx.now + self.spec.pace;
        }
        match held_up {
            // It was told in vain, or waits for the first time.
            HeldUp::Room if self.ticket.is_none_or(|ticket| outbox.is_told(ticket)) => {
                if let Some(ticket) = self.ticket.replace(outbox.wait()) {
                    outbox.forget(ticket);
                }
            }
            HeldUp::Room => {}
            HeldUp::Credit | HeldUp::Not => self.has_room(outbox),
        }
        if !self.is_cancelled && self.outgoing.sequence() < self.spec.frames {
            return Sent::Later(self.next_at);
        }
        let flush_until = *self.flush_until.get_or_insert(cx.now + FLUSH_TIMEOUT);
        if !frames.is_empty() && !self.is_cancelled && cx.now < flush_until {
            return Sent::Waits(flush_until);
        }
        frames.clear();
        self.has_room(outbox);
        let (dropped, offered) = (frames.dropped(), self.outgoing.sequence() - self.after);
        cx.check(self.left + dropped == offered, || {
            format!(
                "{}: {} frames left and {dropped} were dropped of {offered}",
                self.stream_id, self.left
            )
        });
        if dropped > 0 {
            cx.record("has dropped {} frames of stream {}", [dropped, self.spec.number]);
        }
        Sent::Over
    }

    /// Waits for room or credit, with the next frame, as long as it may.
    fn wait(&mut self, outbox: &mut Outbox, cx: &mut Context<'_>) -> Sent {
        if self.held.is_none() {
            let len = self.next.as_ref().map_or(0, Vec::len);
            match self.account.hold(len.max(1)) {
                Ok(held) => self.held = Some(held),
                Err(limit) => self.fail(limit.to_string()),
            }
        }
        let (sent, now) = (outbox.sent(), cx.now);
        let timeout = Limits::default().stall_timeout.duration();
        let patience = self.patience.get_or_insert_with(|| Patience::new(timeout, sent, now));
        let deadline = patience.deadline(sent, now);
        if deadline.is_none() {
            cx.record("waits no more for the receiver of stream {}", [self.spec.number, 0]);
            self.fail("the receiver takes nothing".into());
        }
        match deadline.filter(|_| self.failed.is_none()) {
            Some(deadline) => Sent::Waits(deadline),
            None => {
                self.has_room(outbox);
                Sent::Over
            }
        }
    }

    fn fail(&mut self, why: String) {
        self.failed = Some(Failure {
            code: ErrorCode::Unavailable,
            message: why.as_str().into(),
        });
    }

    /// It needs no more room now: the next sender is told.
    fn has_room(&mut self, outbox: &mut Outbox) {
        if let Some(ticket) = self.ticket.take() {
            outbox.pass_on(ticket);
        }
    }

    /// Records the beginning of a wait.
    fn tell(&mut self, what: &'static str, cx: &mut Context<'_>) {
        if !std::mem::replace(&mut self.is_waiting, true) {
            cx.record(what, [self.spec.number, 0]);
        }
    }

    /// Whether it would send if it had credit.
    pub(crate) fn waits_for_credit(&self) -> bool {
        !self.is_cancelled
            && self.outgoing.sequence() < self.spec.frames
            && !self.outgoing.may_send()
            && self.granted == 0
    }

    /// The stream's last record.
    pub(crate) fn last_record(&self, broke_off: bool) -> Control {
        let breaks_off = broke_off && !self.is_cancelled;
        let shuts_down = breaks_off.then(|| Failure {
            code: ErrorCode::Unavailable,
            message: "the sender is shutting down".into(),
        });
        self.outgoing.last_record(self.failed.clone().or(shuts_down))
    }
}

/// A frame's record body.
pub(crate) fn frame_of(stream_id: &StreamId, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut stream = OutgoingStream::new(stream_id.clone(), 0, false);
    [stream.head(sequence, payload.len()), payload].concat()
}
