/// Who may use a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Every call to the peer.
    Shared,
    /// Whoever has its handle.
    Own,
}
