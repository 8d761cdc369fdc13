use actr_lite_webrtc::signal::Signal;
use actr_lite_wire::peer_text::PeerText;
use tokio::sync::oneshot;

use crate::{error::actr_error::ActrError, session::session_handle::SessionHandle};

/// How much may wait for the task of one peer: an offer and its candidates, and those who want a connection.
pub(super) const MAX_INPUTS: usize = 64;

/// What a peer's task is told.
pub(super) enum Input {
    /// The peer says this.
    Signal(Signal),
    /// What was said to the peer can't be passed on.
    Refused(PeerText),
    /// Somebody wants a session with the peer.
    Connect(oneshot::Sender<Result<SessionHandle, ActrError>>),
}
