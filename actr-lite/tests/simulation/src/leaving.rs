use actr_lite_engine::shutdown::Shutdown;

/// A node stops.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) shutdown: Shutdown,
    /// What the registry was told.
    pub(crate) request: Option<u64>,
}
