/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    /// How many bytes.
    pub(crate) len: usize,
    /// As many as could be read at once: there is probably more.
    pub(crate) was_full: bool,
}
