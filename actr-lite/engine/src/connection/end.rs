use std::time::Duration;

use actr_lite_wire::{
    misbehaviour::MisbehaviourKind,
    websocket::{CloseCode, CloseFrame},
};

/// How the exchange over a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// This side asked for it; all was sent, the close frame last.
    Closed(CloseFrame),
    /// This side asked for it; the peer did not read what came before.
    Stuck(CloseFrame),
    /// The peer asked for it.
    Peer(Option<CloseFrame>),
    /// It broke.
    Broken(String),
    /// The peer said nothing for so long.
    Silent(Duration),
    /// The peer broke the protocol: the code it is told, and how.
    Protocol(CloseCode, String),
}

/// What is still to be done on a connection that has ended, all within [`CLOSE_TIMEOUT`](super::CLOSE_TIMEOUT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    /// The last that is said, behind a frame that was begun.
    pub answer: Option<CloseFrame>,
    /// Then to say that nothing more comes, and to read until the peer says so too: to close with unread input would
    /// reset the connection, and lose what the peer has not read yet.
    pub waits_for_peer: bool,
}

impl End {
    /// What is still to be done; `None` if nothing more can be said.
    pub fn goodbye(&self) -> Option<Goodbye> {
        let (answer, waits_for_peer) = match self {
            Self::Closed(_) => (None, true),
            Self::Peer(frame) => {
                let code = frame.as_ref().map_or(CloseCode::NORMAL, CloseFrame::code);
                (Some(CloseFrame::new(code, "")), false)
            }
            Self::Protocol(code, error) => (Some(CloseFrame::new(*code, error.clone())), true),
            Self::Stuck(_) | Self::Broken(_) | Self::Silent(_) => return None,
        };
        Some(Goodbye { answer, waits_for_peer })
    }

    /// What the peer is to blame for.
    pub fn complaint(&self) -> Option<(MisbehaviourKind, &str)> {
        match self {
            Self::Closed(frame) | Self::Stuck(frame) if frame.code() == CloseCode::POLICY_VIOLATION => {
                Some((MisbehaviourKind::UnreadAnswers, frame.reason()))
            }
            Self::Protocol(_, error) => Some((MisbehaviourKind::ProtocolViolation, error)),
            _ => None,
        }
    }
}
