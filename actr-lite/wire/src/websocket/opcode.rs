/// The longest payload of a control frame, in bytes (RFC 6455 §5.5).
pub const MAX_CONTROL_PAYLOAD_LEN: usize = 125;

/// What a frame is (RFC 6455 §5.2, "Opcode").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Data(DataKind),
    Control(ControlKind),
}

/// What a message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataKind {
    Text,
    Binary,
}

/// The frames that may stand between the fragments of a message (RFC 6455 §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlKind {
    Close,
    Ping,
    Pong,
}

impl Opcode {
    /// What this number stands for; nothing if it is reserved.
    pub(super) fn from_nibble(nibble: u8) -> Option<Self> {
        match nibble {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Data(DataKind::Text)),
            0x2 => Some(Self::Data(DataKind::Binary)),
            0x8 => Some(Self::Control(ControlKind::Close)),
            0x9 => Some(Self::Control(ControlKind::Ping)),
            0xA => Some(Self::Control(ControlKind::Pong)),
            _ => None,
        }
    }

    pub(super) fn nibble(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Data(DataKind::Text) => 0x1,
            Self::Data(DataKind::Binary) => 0x2,
            Self::Control(ControlKind::Close) => 0x8,
            Self::Control(ControlKind::Ping) => 0x9,
            Self::Control(ControlKind::Pong) => 0xA,
        }
    }
}
