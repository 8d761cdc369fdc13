//! What a test gives when somebody may go on.

use tokio_util::sync::CancellationToken;

/// A sign from the test: whoever waits for it goes on once it is given, and never waits again.
#[derive(Clone, Default)]
pub(crate) struct Cue(CancellationToken);

impl Cue {
    pub(crate) fn give(&self) {
        self.0.cancel();
    }

    pub(crate) async fn given(&self) {
        self.0.cancelled().await;
    }
}
