use std::fmt::Display;

/// What a spawned task returns: nothing, or a result whose error is logged.
pub trait TaskOutcome: Send + 'static {
    /// What went wrong, for the log; `None` if nothing did.
    fn failure(&self) -> Option<&dyn Display>;
}

impl TaskOutcome for () {
    fn failure(&self) -> Option<&dyn Display> {
        None
    }
}

impl<E: Display + Send + 'static> TaskOutcome for Result<(), E> {
    fn failure(&self) -> Option<&dyn Display> {
        self.as_ref().err().map(|error| error as &dyn Display)
    }
}
