/// What becomes of connections that come from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newcomers {
    /// They are relayed.
    Relay,
    /// They are accepted, and then stay silent.
    Swallow,
    /// They are reset.
    Refuse,
}
