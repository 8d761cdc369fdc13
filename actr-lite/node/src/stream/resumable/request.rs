use std::time::Duration;

use actr_lite_wire::identity::{ActrType, StreamId};

use crate::{CallOptions, Dest};

/// Which stream is wanted, and from whom.
#[derive(Debug, Clone)]
pub struct ResumableRequest {
    /// Its name: the same at every server that is asked.
    pub stream_id: StreamId,
    /// Who can send it: any server of this type.
    pub server_type: ActrType,
    /// How many frames it has. They are numbered from 1.
    pub frames: u64,
    /// How long there may be no live stream, from the beginning and after each break.
    pub patience: Duration,
}

/// One server that is to be asked for a stream.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The server.
    pub dest: Dest,
    /// For the call: the time that it may take, and behind which frame the server is to start.
    pub options: CallOptions,
}
