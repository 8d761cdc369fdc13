/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    /// How many bytes.
    pub(super) len: usize,
    /// As many as could be read at once: there is probably more.
    pub(super) was_full: bool,
}
