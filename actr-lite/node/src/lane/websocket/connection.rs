use std::{sync::Arc, time::Duration};

use actr_lite_engine::{accounts::PeerAccount, connection::max_message_len, upgrade::offer::Agreed};
use actr_lite_wire::{record_limit::RecordLimit, websocket::Role};
use bytes::BytesMut;

use crate::lane::{
    lane::Lane,
    websocket::{
        outbox::Outbox,
        socket::{self, Reader, Writer},
        upgraded::Upgraded,
    },
};

/// A connection after the upgrade, which nobody drives yet.
pub(crate) struct Connection {
    pub(super) reader: Reader,
    pub(super) writer: Arc<Writer>,
    pub(super) outbox: Arc<Outbox>,
    /// What the peer makes this node hold.
    pub(super) account: Arc<PeerAccount>,
    /// How long the peer may take with what it has begun to send.
    pub(super) stall_timeout: Duration,
    pub(super) role: Role,
    pub(super) max_message_len: usize,
    /// What came behind the handshake in the same read.
    pub(super) leftover: BytesMut,
}

impl Connection {
    /// The connection of a node that takes records up to this limit, and waits so long for what a peer has begun to send.
    pub(crate) fn new(
        upgraded: Upgraded,
        role: Role,
        own_limit: RecordLimit,
        stall_timeout: Duration,
        account: &Arc<PeerAccount>,
    ) -> Self {
        let Upgraded {
            stream,
            leftover,
            agreed: Agreed { extended, peer_limit },
        } = upgraded;
        let max_sent = own_limit.min(peer_limit).bytes();
        let (reader, writer) = socket::split(stream);
        let writer = Arc::new(writer);
        let outbox = Outbox::new(Arc::clone(&writer), role, extended, max_sent, Arc::clone(account));
        let max_message_len = max_message_len(own_limit.bytes(), extended);
        Self {
            reader,
            writer,
            outbox: Arc::new(outbox),
            account: Arc::clone(account),
            stall_timeout,
            role,
            max_message_len,
            leftover,
        }
    }

    /// The way of records to the peer.
    pub(crate) fn lane(&self) -> Arc<dyn Lane> {
        Arc::clone(&self.outbox) as Arc<dyn Lane>
    }
}
