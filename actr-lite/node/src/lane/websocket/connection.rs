use std::sync::Arc;

use actr_lite_wire::{identity::ActrId, record, websocket::Role};

use crate::{
    lane::{
        lane::Lane,
        websocket::{driver::Driver, outbox::Outbox, socket},
    },
    limits::accounts::Admission,
    node_state::NodeState,
    peers::dial::Upgraded,
    session::{receiver::SessionReceiver, session::Session, sharing::Sharing},
};

/// What a batch may have beyond one record of the greatest length: other records, and control records.
const BATCH_ALLOWANCE: usize = 2 << 20;

/// A connection after the upgrade, and the session over it.
pub(crate) struct Connection {
    session: Arc<Session>,
    driver: Driver,
    is_kept_by_peer: bool,
    /// Until the connection has ended.
    _admission: Admission,
}

impl Connection {
    pub(crate) fn new(
        node: &Arc<NodeState>,
        peer: ActrId,
        admission: Admission,
        upgraded: Upgraded,
        role: Role,
        sharing: Sharing,
    ) -> Self {
        let Upgraded {
            stream,
            leftover,
            extended,
            peer_limit,
            is_kept_by_peer,
        } = upgraded;
        let own_limit = node.record_limit();
        let max_sent = own_limit.min(peer_limit).bytes();
        let max_received = own_limit.bytes();
        let (reader, writer) = socket::split(stream);
        let writer = Arc::new(writer);
        let account = admission.account();
        let outbox = Outbox::new(Arc::clone(&writer), role, extended, max_sent, Arc::clone(account));
        let outbox = Arc::new(outbox);
        let lane = Arc::clone(&outbox) as Arc<dyn Lane>;
        let session = Session::new(Arc::clone(node), peer, lane, sharing, Arc::clone(account));
        let receiver = SessionReceiver::new(Arc::clone(&session));
        let max_message_len = max_received + record::HEADER_LEN + if extended { BATCH_ALLOWANCE } else { 0 };
        let driver = Driver {
            reader,
            writer,
            outbox,
            receiver,
            role,
            max_message_len,
            leftover,
        };
        Self {
            session,
            driver,
            is_kept_by_peer,
            _admission: admission,
        }
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether the peer wants to keep it when nobody uses it.
    pub(crate) fn is_kept_by_peer(&self) -> bool {
        self.is_kept_by_peer
    }

    /// Reads and writes until the connection ends.
    pub(crate) async fn run(self) {
        let Self { driver, _admission, .. } = self;
        driver.run().await;
    }
}
