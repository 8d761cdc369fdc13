/// Which end of the connection this node is, which decides who masks (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opened the connection: masks every frame it sends and refuses masked ones.
    Client,
    /// Accepted the connection: never masks and refuses frames without a mask.
    Server,
}

impl Role {
    /// Whether frames sent in this role carry a mask, so whether [`seal`](super::seal) needs a masking key.
    pub fn masks(self) -> bool {
        self == Role::Client
    }
}
