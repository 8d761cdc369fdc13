use crate::{lane::closing::Closing, session::session_handle::SessionHandle};

/// A connection to another actor that only one context and its clones use. It closes when the last of them is dropped,
/// and is not replaced when it ends.
pub(crate) struct OwnConnection(pub(crate) SessionHandle);

impl Drop for OwnConnection {
    fn drop(&mut self) {
        self.0.close(Closing::Dropped);
    }
}
