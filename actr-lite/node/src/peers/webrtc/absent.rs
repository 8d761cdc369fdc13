use std::sync::Arc;

use actr_lite_manifest::WebRtcMode;
use actr_lite_registry_client::{RegistryLink, Relayed};
use actr_lite_tls::ClientTls;
use actr_lite_wire::{identity::ActrId, peer_text::PeerText};
use tokio::sync::mpsc;

use crate::{
    error::actr_error::ActrError, peers::open_sessions::OpenSessions, session::session_handle::SessionHandle,
    settings::webrtc::WebRtc,
};

/// No sessions over WebRTC.
pub(crate) struct Desk;

impl Desk {
    pub(crate) fn new(_: WebRtc, _: ClientTls, _: RegistryLink, _: Arc<OpenSessions>) -> Arc<Self> {
        Arc::new(Self)
    }

    pub(crate) fn mode(&self) -> WebRtcMode {
        WebRtcMode::Off
    }

    pub(crate) async fn run(self: Arc<Self>, _: mpsc::Receiver<Relayed>) {}

    pub(crate) async fn connect(self: &Arc<Self>, peer: &ActrId) -> Result<SessionHandle, ActrError> {
        let (peer, cause) = (peer.clone(), PeerText::new("this program is built without WebRTC"));
        Err(ActrError::Unreachable { peer, cause })
    }
}
