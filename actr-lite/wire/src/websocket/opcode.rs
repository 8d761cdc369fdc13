use super::ProtocolError;

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
    pub(super) fn from_nibble(nibble: u8) -> Result<Self, ProtocolError> {
        match nibble {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Data(DataKind::Text)),
            0x2 => Ok(Self::Data(DataKind::Binary)),
            0x8 => Ok(Self::Control(ControlKind::Close)),
            0x9 => Ok(Self::Control(ControlKind::Ping)),
            0xA => Ok(Self::Control(ControlKind::Pong)),
            opcode => Err(ProtocolError::ReservedOpcode { opcode }),
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
