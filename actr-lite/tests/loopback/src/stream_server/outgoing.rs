//! A numbered stream as its server sends it.

use std::sync::Arc;

use actr_lite::{ActrError, Context, DataStream, Dest, StreamId, StreamOptions, StreamSender};

use crate::{
    harness::stream::caller,
    stream_server::{
        log::Log,
        script::{Sending, Then},
    },
};

/// A stream that leaves out numbers goes frame by frame, any other as a whole.
pub(crate) enum Outgoing {
    Whole(Box<StreamSender>),
    Single(Context, Dest, StreamId),
}

impl Outgoing {
    pub(crate) async fn open(ctx: &Context, id: &StreamId, numbers: &[u64]) -> Result<Self, ActrError> {
        let dest = caller(ctx);
        if numbers.windows(2).any(|pair| pair[1] != pair[0] + 1) {
            return Ok(Self::Single(ctx.clone(), dest, id.clone()));
        }
        let options = StreamOptions {
            resume_after: numbers.first().map_or(0, |first| first - 1),
            ..StreamOptions::default()
        };
        ctx.open_stream_with(&dest, id.clone(), options)
            .await
            .map(Box::new)
            .map(Self::Whole)
    }

    pub(crate) async fn send(mut self, mut sending: Sending, log: Arc<Log>) {
        loop {
            let Sending { numbers, then } = sending;
            for number in numbers {
                let payload = number.to_string();
                let sent = match &mut self {
                    Self::Whole(sender) => sender.send(payload).await.map_err(ActrError::from),
                    Self::Single(ctx, dest, id) => {
                        ctx.send_stream(&*dest, &DataStream::new(id.clone(), number, payload))
                            .await
                    }
                };
                if sent.is_err() {
                    return;
                }
            }
            let Self::Whole(sender) = self else { return };
            match then {
                Then::Finish => return drop(sender.finish().await),
                Then::BreakOff => return,
                Then::Hold => {
                    let error = sender.closed().await;
                    return log.note_stopped(error);
                }
                Then::Linger(cue) => return cue.given().await,
                Then::Wait(cue, next) => {
                    tokio::select! {
                        () = cue.given() => sending = *next,
                        error = sender.closed() => return log.note_stopped(error),
                    }
                    self = Self::Whole(sender);
                }
            }
        }
    }
}
