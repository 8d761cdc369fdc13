use std::{any::Any, fmt::Display};

use crate::{error::actr_error::ActrError, stream::send_error::SendError};

/// What a spawned task returns: nothing, or a result whose error is logged.
pub trait TaskOutcome: Send + 'static {
    /// What went wrong, for the log; `None` if nothing did.
    fn failure(&self) -> Option<&dyn Display>;

    /// The same, if it was a stream that could not be sent.
    fn send_error(&self) -> Option<&SendError> {
        None
    }
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

    fn send_error(&self) -> Option<&SendError> {
        let error = self.as_ref().err()? as &dyn Any;
        match error.downcast_ref() {
            Some(ActrError::Send(error)) => Some(error),
            _ => error.downcast_ref(),
        }
    }
}
