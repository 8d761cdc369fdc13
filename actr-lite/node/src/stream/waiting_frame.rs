use std::{
    future::poll_fn,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

use actr_lite_engine::outbox::{Accepted, Urgency};
use actr_lite_quota::Permit;
use actr_lite_wire::{record::RecordKind, record_queue::Precedence};
use tokio::task::yield_now;

use crate::{
    lane::{lane::SendRefused, patience::Patience},
    stream::{send_error::SendError, sender::StreamSender, sender_turn::SenderTurn, stream_meter::StreamMeter},
};

/// Shows that a sender waits, until it is dropped.
struct Waits(Arc<StreamMeter>);

impl Waits {
    fn begin(meter: &Arc<StreamMeter>) -> Self {
        meter.waits();
        Self(Arc::clone(meter))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.goes_on();
    }
}

/// A frame that can't leave at once.
impl StreamSender {
    /// Sends a frame when there are credit and room, and others have had their turn.
    pub(super) async fn send_record(&mut self, sequence: u64, head: &[u8], payload: &[u8]) -> Result<(), SendError> {
        let sent = async {
            // Before the frame is sent, so that it is not when this is dropped here.
            if self.turn.is_over() {
                self.turn = SenderTurn::new(self.uplink.outgoing().turn());
                yield_now().await;
            }
            // As long as it waits, the receiver makes this node hold the frame.
            let mut held = None;
            let len = head.len() + payload.len();
            self.credit(&mut held, len).await?;
            self.room(&mut held, head, payload).await
        };
        match sent.await {
            Ok(accepted) => {
                self.count(sequence, head.len(), payload.len(), accepted);
                Ok(())
            }
            Err(error) => {
                if let SendError::OverShare(_) | SendError::Stalled { .. } = &error {
                    self.failed = Some(error.clone());
                }
                // The receiver waits for this confirmation: after it, it may ask for a stream with the same id.
                self.end();
                Err(error)
            }
        }
    }

    /// Counts a frame that waits.
    fn hold(&self, held: &mut Option<Permit>, len: usize) -> Result<(), SendError> {
        if held.is_none() {
            let tally = &self.uplink.environment().tally;
            let taken = self
                .uplink
                .account()
                .hold(len)
                .inspect_err(|limit| tally.limit_reached(limit));
            *held = Some(taken.map_err(SendError::OverShare)?);
        }
        Ok(())
    }

    fn wait_for_credit(&self) -> Waits {
        let tally = &self.uplink.environment().tally;
        tally.credit_waits.fetch_add(1, Relaxed);
        Waits::begin(&self.metered)
    }

    fn stalled(&self) -> SendError {
        SendError::Stalled {
            stream: self.as_ended(),
            after: self.uplink.environment().stall_timeout(),
        }
    }

    /// Waits for credit.
    async fn credit(&mut self, held: &mut Option<Permit>, len: usize) -> Result<(), SendError> {
        while !self.outgoing.may_send() {
            self.hold(held, len)?;
            let _waits = self.wait_for_credit();
            let lane = self.uplink.lane();
            let mut patience = Patience::new(lane, self.uplink.environment().stall_timeout());
            let stream = Arc::clone(&self.stream);
            let granted = poll_fn(move |cx| {
                stream.waker.register(cx.waker());
                let granted = stream.take_granted();
                if granted > 0 || stream.end.get().is_some() {
                    Poll::Ready(granted)
                } else {
                    Poll::Pending
                }
            });
            let granted = tokio::select! {
                biased;
                granted = granted => granted,
                () = patience.run_out(lane) => return Err(self.stalled()),
            };
            self.check()?;
            self.outgoing.grant(granted);
        }
        Ok(())
    }

    /// Waits until the connection takes the record.
    async fn room(&self, held: &mut Option<Permit>, head: &[u8], payload: &[u8]) -> Result<Accepted, SendError> {
        let lane = self.uplink.lane();
        let mut turn = lane.room(Precedence::Bulk).turn();
        let mut patience = None;
        loop {
            self.check()?;
            match lane.try_send(RecordKind::StreamReliable, Urgency::Pause, head, payload) {
                Ok(accepted) => return Ok(accepted),
                Err(SendRefused::Closed) => {
                    // The lane closes a moment before the session says why.
                    return Err(self.closed().await);
                }
                Err(SendRefused::OverShare(limit)) => return Err(SendError::OverShare(limit)),
                Err(SendRefused::Full) => {
                    self.hold(held, head.len() + payload.len())?;
                    let _waits = Waits::begin(&self.metered);
                    let patience =
                        patience.get_or_insert_with(|| Patience::new(lane, self.uplink.environment().stall_timeout()));
                    tokio::select! {
                        () = turn.wait() => {}
                        () = self.stream.closed.cancelled() => {}
                        () = patience.run_out(lane) => return Err(self.stalled()),
                    }
                }
            }
        }
    }
}
