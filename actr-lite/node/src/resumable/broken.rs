use std::{fmt, time::Duration};

use actr_lite_wire::identity::ActrId;

use crate::{readable_duration::readable, stream::stream_end::StreamEnd};

/// How one server's stream ended before it was complete.
#[derive(Debug, Clone)]
pub(super) enum Broken {
    /// As the stream itself says.
    Ended(StreamEnd),
    /// The server shuts down, and there is another one.
    Leaving(ActrId),
    /// The server has agreed, and sent no frame for this long; so many bytes came of one.
    Silent(ActrId, Duration, usize),
    /// The server has sent no further frame for this long.
    Idle(ActrId, Duration),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => end.fmt(f),
            Self::Leaving(server) => write!(f, "{server} is shutting down"),
            Self::Silent(server, after, partial_len) => {
                write!(f, "{server} agreed, and sent no frame within {}", readable(*after))?;
                match partial_len {
                    0 => Ok(()),
                    len => write!(f, ", but {len} bytes of one: allow more time, or send shorter frames"),
                }
            }
            Self::Idle(server, after) => write!(f, "{server} sent no frame for {}", readable(*after)),
        }
    }
}
