//! What a test says of streams and their ends.

use actr_lite::{ActrId, Context, Dest, SendError, StreamId, Subscription};

pub(crate) fn stream_id(text: &str) -> StreamId {
    text.parse().unwrap()
}

/// A stream that `receiver` takes from `sender` without asking it: what the test does instead of an application.
pub(crate) fn subscribe_from(receiver: &Context, sender: &ActrId, id: &str) -> Subscription {
    receiver.subscribe(stream_id(id), sender).unwrap()
}

/// Who called.
pub(crate) fn caller(ctx: &Context) -> Dest {
    Dest::actor(ctx.caller_id().unwrap().clone())
}

pub(crate) fn assert_cancelled(error: &SendError, id: &StreamId) {
    assert!(
        matches!(error, SendError::Cancelled { stream, .. } if stream.stream_id == *id),
        "{error:?}"
    );
}
