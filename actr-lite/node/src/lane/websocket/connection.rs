use std::sync::Arc;

use actr_lite_wire::{identity::ActrId, record, websocket::Role};

use super::{Upgraded, driver::Driver, outbox::Outbox};
use crate::{
    lane::Lane,
    node_state::NodeState,
    session::{Session, SessionReceiver},
    sessions::Sharing,
};

/// What a batch may have beyond one record of the greatest length: other records, and control records.
const BATCH_ALLOWANCE: usize = 2 << 20;

/// A connection after the upgrade, and the session over it.
pub(crate) struct Connection {
    session: Arc<Session>,
    driver: Driver,
}

impl Connection {
    pub(crate) fn new(node: &Arc<NodeState>, peer: ActrId, upgraded: Upgraded, role: Role, sharing: Sharing) -> Self {
        let Upgraded {
            socket,
            leftover,
            extended,
        } = upgraded;
        let max_record_len = record::DEFAULT_MAX_RECORD_LEN;
        let socket = Arc::new(socket);
        let outbox = Arc::new(Outbox::new(Arc::clone(&socket), role, extended, max_record_len));
        let session = Session::new(Arc::clone(node), peer, Arc::clone(&outbox) as Arc<dyn Lane>, sharing);
        let receiver = SessionReceiver::new(Arc::clone(&session));
        let max_message_len = max_record_len + record::HEADER_LEN + if extended { BATCH_ALLOWANCE } else { 0 };
        let driver = Driver {
            socket,
            outbox,
            receiver,
            role,
            max_message_len,
            leftover,
        };
        Self { session, driver }
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Reads and writes until the connection ends.
    pub(crate) async fn run(self) {
        self.driver.run().await;
    }
}
