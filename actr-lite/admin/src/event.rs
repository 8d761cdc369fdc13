//! What happens in a program, for those who watch it.

use serde::Serialize;

/// Which part of a program something happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The registry.
    Registry,
    /// The node.
    Node,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The registry has registered a node; or this node was registered.
    Registered,
    /// A node has left in order.
    Left,
    /// A node has sent no heartbeat for a whole lease.
    LeaseExpired,
    /// A registration was refused.
    RegistrationRefused,
    /// A credential was not renewed.
    RenewalRefused,
    /// HTTP refused something.
    RequestRefused,
    /// A limit was reached.
    LimitReached,
    /// The registry signs with other keys.
    SigningKeys,
    /// The node takes nothing new any more.
    Draining,
    /// A stream has ended.
    StreamEnded,
    /// A stream goes on at another server, or again at the same one.
    StreamResumed,
}

impl Kind {
    /// Whether peers can make it happen as often as they like.
    pub(crate) fn is_frequent(self) -> bool {
        match self {
            Self::RegistrationRefused
            | Self::RenewalRefused
            | Self::RequestRefused
            | Self::LimitReached
            | Self::StreamEnded
            | Self::StreamResumed => true,
            Self::Registered | Self::Left | Self::LeaseExpired | Self::SigningKeys | Self::Draining => false,
        }
    }
}

/// Something that happened, and what is known about it. Texts of peers are escaped and cut when they come here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Where.
    pub of: Part,
    /// What.
    pub kind: Kind,
    /// The id of the node that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its type, where it has no id.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub actr_type: Option<String>,
    /// Its realm, where it has no id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<u32>,
    /// The address that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The id of the stream that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Who is at that stream's other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Which way that stream goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// How many frames it had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The key of the limit that was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which way something goes, as the node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The peer sends, has called, or has dialled.
    In,
    /// This node does.
    Out,
}

impl Direction {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl Event {
    /// With nothing known about it yet.
    pub fn new(of: Part, kind: Kind) -> Self {
        Self {
            of,
            kind,
            node: None,
            actr_type: None,
            realm: None,
            from: None,
            stream: None,
            peer: None,
            direction: None,
            frames: None,
            key: None,
            reason: None,
        }
    }
}

/// An event of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Noted {
    /// Its number in the log.
    pub id: u64,
    /// When it was, as RFC 3339 writes it.
    pub time: String,
    /// What it was.
    #[serde(flatten)]
    pub event: Event,
}
