use std::{io, net::SocketAddr, sync::Arc};

use actr_lite_engine::upgrade::MAX_UPGRADES;
use actr_lite_net::{
    complaints::Subject,
    listener::Listener,
    places::{Place, Places},
};
use actr_lite_wire::host_policy::HostPolicy;
use thiserror::Error;
use tokio::net::TcpStream;
use tracing::debug;

use crate::peers::{
    doorkeeper::{Admitted, Doorkeeper},
    peers::Peers,
    upgrade::upgrade,
};

/// The node's data lane listener: it accepts WebSocket upgrades with a valid credential.
pub(crate) struct Acceptor {
    listener: Listener,
    address: SocketAddr,
}

/// Why the data lane can't listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another program has the port.
    #[error(
        "the data lane cannot listen on {address}: another program uses it; stop it, or set [system.websocket] listen to a \
         free address, or to port 0"
    )]
    AddressInUse {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The system refuses for another reason.
    #[error(
        "the data lane cannot listen on {address}: {cause}; set [system.websocket] listen to an address of this machine, \
         with a port that this program may use"
    )]
    Refused {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
}

impl Acceptor {
    /// Listens on `address`, which others reach by dialling `host`, if it is known what they dial.
    pub(crate) async fn bind(address: SocketAddr, host: Option<&str>) -> Result<Self, BindError> {
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::AddressInUse { address },
            _ => BindError::Refused { address, cause },
        };
        let listener = Listener::bind(address, "the data lane").await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if let Some(host) = host
            && let Some(rival) = actr_lite_net::rival(address, host).await
        {
            return Err(BindError::AddressInUse { address: rival });
        }
        Ok(Self { listener, address })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until the node stops. `hosts` says by which names others may address it.
    pub(crate) async fn run(mut self, peers: Arc<Peers>, hosts: HostPolicy) {
        let doorkeeper = Arc::new(Doorkeeper::new(peers, hosts));
        let streams = &doorkeeper.peers.sessions().streams;
        let places = Arc::new(Places::new(MAX_UPGRADES));
        loop {
            let (socket, address) = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = streams.occupancy.draining().cancelled() => return,
            };
            let upgrade = admit(Arc::clone(&doorkeeper), socket, address, places.enter(address.ip()));
            streams.tasks.spawn_runtime("an upgrade", Box::pin(upgrade));
        }
    }
}

/// Answers the upgrade request. A connection that is accepted gets a task of its own, so that nothing of this one is kept
/// as long.
async fn admit(doorkeeper: Arc<Doorkeeper>, socket: TcpStream, address: SocketAddr, place: Place) {
    let streams = &doorkeeper.peers.sessions().streams;
    let upgraded = tokio::select! {
        upgraded = upgrade(&doorkeeper, socket, address) => upgraded,
        () = place.ended() => {
            streams.complaints.remark(Subject::of(&address), &format_args!(
                "{address} was cut off before its upgrade: too many connections do not say who they are"
            ));
            return;
        }
        () = streams.tasks.stop().cancelled() => return,
    };
    drop(place);
    if let Some((admitted, upgraded)) = upgraded {
        let Admitted {
            request,
            is_kept_by_peer,
            admission,
        } = admitted;
        debug!(peer = %request.peer, %address, "connected over WebSocket");
        doorkeeper
            .peers
            .serve(request.peer, admission, upgraded, is_kept_by_peer);
    }
}
