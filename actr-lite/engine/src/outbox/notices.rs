/// Whom to wake. The shell does so when it has let go of its lock.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Notices {
    /// The driver, which rests.
    pub driver: bool,
    /// Senders that were refused because the outbox was full.
    pub room: Room,
}

/// Which of the senders that wait for room are told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// None.
    #[default]
    Nobody,
    /// One of each precedence. It tells the next when it is done, whether it sent or gave up.
    One,
    /// All: the outbox takes nothing any more.
    Everyone,
}
