use actr_lite_wire::{identity::ActrId, peer_text::PeerText, proto::actr_relay::Payload};

/// What the registry passes on from another node, or does not pass on to one.
///
/// Whom it comes from is the registry's word: it checks the sender's credential, and the sender proves nothing to this node.
#[derive(Debug, Clone, PartialEq)]
pub enum Relayed {
    /// A node says this.
    Said {
        /// Which.
        from: ActrId,
        /// What.
        payload: Payload,
    },
    /// What was said to a node can't be passed on.
    Refused {
        /// To which.
        to: ActrId,
        /// Why not.
        reason: PeerText,
    },
}
