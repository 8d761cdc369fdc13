use actr_lite_wire::identity::ActrId;

/// What happened. `S` says how a stream ended and `E` why a step failed: both are only passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<S, E> {
    /// The registry named these servers, the one to ask first comes first.
    Named(Vec<ActrId>),
    /// The registry named none.
    Unnamed(Unnamed, E),
    /// A connection to the other server is there.
    Connected,
    /// The other server can't be reached.
    Unreachable,
    /// The server that was asked agreed.
    Agreed,
    /// The server that was asked did not agree, or can't be reached.
    Failed(Failure, E),
    /// The stream of the server that was asked is over.
    Ended(End, S),
    /// The server that was asked shuts down.
    Leaves,
}

/// Why the registry named no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// It did not answer: the servers known from before may still be there.
    Silent,
    /// There is none at the moment.
    NoServer,
    /// It never will.
    Final,
}

/// Why a server did not take the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It may do so later.
    Transient,
    /// It never will, but another one may.
    Refused,
    /// None ever will.
    Final,
}

/// How a server's stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server says that it sent all.
    Finished {
        /// How many frames there are.
        frames: u64,
    },
    /// Something is missing.
    Broken,
    /// This node itself ended it.
    Unwanted,
}

/// What a shell sees when it polls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many frames were delivered so far, from all servers together.
    pub delivered: u64,
    /// How many bytes have come of a frame of the present server that is not whole yet.
    pub partial_len: usize,
    /// The registry is known to be away.
    pub registry_is_away: bool,
}
