//! The data channels of a session, one for each payload type.

use actr_lite_wire::record::RecordKind;

/// A data channel. Its label is the name of its payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Calls and answers.
    RpcReliable,
    /// Calls and answers that are not to wait behind others.
    RpcSignal,
    /// Frames that must arrive.
    StreamReliable,
    /// Frames that are worth nothing when they are late: unordered, and sent again [a few times](RETRANSMITS) only.
    StreamLatencyFirst,
}

/// How often a frame of a channel that may lose some is sent again (actr 0.4.21).
pub const RETRANSMITS: u16 = 3;

/// How many channels there are.
pub const CHANNELS: usize = 4;

impl Channel {
    /// All of them, by [`Self::index`].
    pub const ALL: [Self; CHANNELS] = [
        Self::RpcReliable,
        Self::RpcSignal,
        Self::StreamReliable,
        Self::StreamLatencyFirst,
    ];

    /// Where records of this kind go; `None` for those that official nodes do not know.
    pub fn of(kind: RecordKind) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.kind() == kind)
    }

    /// The one with this label.
    pub fn labelled(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.label() == label)
    }

    /// What goes over it.
    pub fn kind(self) -> RecordKind {
        match self {
            Self::RpcReliable => RecordKind::RpcReliable,
            Self::RpcSignal => RecordKind::RpcSignal,
            Self::StreamReliable => RecordKind::StreamReliable,
            Self::StreamLatencyFirst => RecordKind::StreamLatencyFirst,
        }
    }

    /// What it is called when it is opened (RFC 8832 §5.1).
    pub fn label(self) -> &'static str {
        match self {
            Self::RpcReliable => "RPC_RELIABLE",
            Self::RpcSignal => "RPC_SIGNAL",
            Self::StreamReliable => "STREAM_RELIABLE",
            Self::StreamLatencyFirst => "STREAM_LATENCY_FIRST",
        }
    }

    /// Whether all arrives, in order.
    pub fn is_reliable(self) -> bool {
        self != Self::StreamLatencyFirst
    }

    /// Its place in [`Self::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}
