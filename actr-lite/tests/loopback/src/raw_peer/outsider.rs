//! A peer that the registry knows.

use std::net::SocketAddr;

use actr_lite::{ActrId, ActrRef};
use actr_lite_registry_client::{Identity, LinkConfig, RegistryLink};
use actr_lite_wire::{
    credential::{self, Credential},
    record::EXTENSION,
};
use tokio::net::TcpSocket;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    harness::{deadline::within, world::World},
    raw_peer::connection::{PROTOCOL, RawPeer, dial, upgrade},
};

/// A registered peer that is not one of our nodes.
pub(crate) struct Outsider {
    pub(crate) identity: Identity,
    pub(crate) link: RegistryLink,
    _stop: DropGuard,
}

impl Outsider {
    pub(crate) async fn new(world: &World, name: &str) -> Self {
        Self::listening(world, name, None).await
    }

    /// One that says it can be dialled.
    pub(crate) async fn listening(world: &World, name: &str, address: Option<SocketAddr>) -> Self {
        Self::register(world, name, 1, address).await
    }

    pub(crate) async fn in_realm(world: &World, name: &str, realm_id: u32) -> Self {
        Self::register(world, name, realm_id, None).await
    }

    async fn register(world: &World, name: &str, realm_id: u32, address: Option<SocketAddr>) -> Self {
        let stop = CancellationToken::new();
        let actr_type = format!("acme+{name}").parse().unwrap();
        let mut config = LinkConfig::new(world.registry_url().parse().unwrap(), actr_type, realm_id);
        config.ws_address = address.map(|address| format!("ws://{address}"));
        // As official nodes: its credential is all that it shows.
        config.prover = None;
        let link = RegistryLink::spawn(config, &TaskTracker::new(), stop.clone());
        Self {
            identity: within(link.connected()).await.unwrap(),
            link,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn id(&self) -> &ActrId {
        &self.identity.actor_id
    }

    /// Where the data lane of a node listens, as its registry says.
    pub(crate) async fn address_of(&self, node: &ActrId) -> Option<SocketAddr> {
        let candidates = within(self.link.candidates(node.actr_type(), 8, "")).await.unwrap();
        let found = candidates.into_iter().find(|candidate| candidate.id == *node)?;
        Some(found.ws_address.unwrap().split_once("://").unwrap().1.parse().unwrap())
    }

    /// The two headers that say and prove who dials.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        headers(self.id(), &self.identity.credential)
    }

    /// Dials as an official node would.
    pub(crate) async fn dial(&self, node: &ActrRef) -> RawPeer {
        let address = self.address_of(&node.actor_id()).await.unwrap();
        dial(address, &self.headers()).await.unwrap()
    }

    /// Dials as one of our own nodes would.
    pub(crate) async fn dial_extended(&self, node: &ActrRef) -> RawPeer {
        let address = self.address_of(&node.actor_id()).await.unwrap();
        dial(address, &self.extended_headers()).await.unwrap()
    }

    /// The same with as little room as there can be for what comes. It is set before the connection is made: a window
    /// that closes behind what is on its way leaves acknowledgements outside, and both ends wait forever.
    pub(crate) async fn dial_extended_with_little_room(&self, node: &ActrRef) -> RawPeer {
        let address = self.address_of(&node.actor_id()).await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1).unwrap();
        let stream = within(socket.connect(address)).await.unwrap();
        upgrade(stream, address, &self.extended_headers()).await.unwrap()
    }

    pub(crate) fn extended_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = self.headers();
        headers.push((PROTOCOL, EXTENSION.into()));
        headers
    }
}

pub(crate) const SOURCE: &str = "x-actr-source-id";
pub(crate) const CREDENTIAL: &str = "x-actr-credential";

pub(crate) fn headers(id: &ActrId, credential: &Credential) -> Vec<(&'static str, String)> {
    vec![
        (SOURCE, credential::source_id_to_header(id)),
        (CREDENTIAL, credential.to_header()),
    ]
}
