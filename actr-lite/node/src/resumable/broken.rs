use std::fmt;

use actr_lite_engine::resumption::Broken;

use crate::{readable_duration::readable, stream::stream_end::StreamEnd};

/// How one server's stream broke, for people.
pub(super) struct Told<'a>(pub(super) &'a Broken<StreamEnd>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Broken::Ended(end) => end.fmt(f),
            Broken::Leaving(server) => write!(f, "{server} is shutting down"),
            Broken::Silent {
                server,
                after,
                partial_len,
            } => {
                write!(f, "{server} agreed, and sent no frame within {}", readable(*after))?;
                match partial_len {
                    0 => Ok(()),
                    len => write!(f, ", but {len} bytes of one: allow more time, or send shorter frames"),
                }
            }
            Broken::Idle { server, after } => write!(f, "{server} sent no frame for {}", readable(*after)),
        }
    }
}
