use std::time::Duration;

use actr_lite_engine::accounts::Admission;
use actr_lite_engine::peers::{dial::Dial, dials::DialId};
use actr_lite_wire::identity::ActrId;
use bytes::BytesMut;

use crate::{
    handshake::Unsent,
    network::{Address, Socket},
};

/// This node dials a peer, for all who wait for that.
#[derive(Debug)]
pub(crate) struct Dialling {
    pub(crate) id: DialId,
    pub(crate) peer: ActrId,
    pub(crate) dial: Dial<Address>,
    pub(crate) step: Step,
    /// Room for the connection.
    pub(crate) admission: Option<Admission>,
}

#[derive(Debug)]
pub(crate) enum Step {
    /// Looks what is next.
    Next,
    /// The registry was asked where the peer listens.
    Asked { number: u64, until: Duration },
    /// The peer was asked for an upgrade.
    Upgrading {
        socket: Socket,
        unsent: Unsent,
        buffer: BytesMut,
        websocket_key: String,
        deadline: Duration,
    },
}
