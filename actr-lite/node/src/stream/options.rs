/// How a stream is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// What happens to a frame that can't leave at once.
    pub delivery: Delivery,
    /// The last frame that the receiver has already, from this sender or another: the first one sent gets the number
    /// behind it. See [`crate::Context::resume_after`].
    pub resume_after: u64,
}

/// What happens to a frame that can't leave at once, because its receiver or the connection is too slow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// The sender waits with it. Nothing is ever dropped.
    #[default]
    Reliable,
    /// The frame waits in the stream's own short queue, and the sender goes on. When the queue is full the oldest
    /// frames are dropped; both ends count them ([`crate::StreamSender::dropped`], [`crate::Subscription::dropped`]).
    /// For what is worth nothing when it is late: the latest position, a meter's reading, live audio.
    ///
    /// Between two nodes of this runtime what has left always comes, in order, over WebRTC too: behind a lost packet frames wait
    /// until it has been sent again. Only with official nodes are they sent over WebRTC's unreliable channel.
    LatencyFirst,
}
