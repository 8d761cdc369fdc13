use std::{sync::Arc, time::Duration};

use actr_lite_engine::{accounts::PeerAccount, connection::max_message_len, upgrade::offer::Agreed};
use actr_lite_wire::{record_limit::RecordLimit, websocket::Role};
use bytes::BytesMut;

use crate::lane::{
    lane::Lane,
    receiver::Receiver,
    websocket::{
        driver::Driver,
        outbox::Outbox,
        socket::{self, Reader, Writer},
        upgraded::Upgraded,
    },
};

/// A connection after the upgrade, which nobody drives yet.
pub(crate) struct Connection {
    reader: Reader,
    writer: Arc<Writer>,
    outbox: Arc<Outbox>,
    account: Arc<PeerAccount>,
    stall_timeout: Duration,
    role: Role,
    max_message_len: usize,
    leftover: BytesMut,
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

    /// Reads and writes until the connection ends.
    pub(crate) async fn run(self, receiver: impl Receiver) {
        let Self {
            reader,
            writer,
            outbox,
            account,
            stall_timeout,
            role,
            max_message_len,
            leftover,
        } = self;
        let driver = Driver {
            reader,
            writer,
            outbox,
            receiver,
            account,
            stall_timeout,
            role,
            max_message_len,
            leftover,
        };
        driver.run().await;
    }
}
