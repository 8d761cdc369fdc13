//! A server, and a peer made by hand that is connected to it.

use actr_lite::{ActrRef, Context, Rpc as _, StreamSender, Subscription};
use tokio::sync::mpsc;

use crate::{
    harness::{
        deadline::within,
        messages::Push,
        server::start_server,
        stream::{caller, stream_id, subscribe_from},
        world::World,
    },
    raw_peer::{connection::RawPeer, outsider::Outsider},
};

/// A server as of [`start_server`], and the connection of a peer to it.
pub(crate) struct Visit {
    _world: World,
    pub(crate) server: ActrRef,
    pub(crate) outsider: Outsider,
    pub(crate) peer: RawPeer,
    contexts: mpsc::UnboundedReceiver<Context>,
}

impl Visit {
    /// The peer knows no extension.
    pub(crate) async fn of_official_peer() -> Self {
        let (world, server, outsider, contexts) = Self::prepare().await;
        let peer = outsider.dial(&server).await;
        Self {
            _world: world,
            server,
            outsider,
            peer,
            contexts,
        }
    }

    /// The peer speaks the extension, as our own nodes do.
    pub(crate) async fn of_extended_peer() -> Self {
        let (world, server, outsider, contexts) = Self::prepare().await;
        let peer = outsider.dial_extended(&server).await;
        Self {
            _world: world,
            server,
            outsider,
            peer,
            contexts,
        }
    }

    async fn prepare() -> (World, ActrRef, Outsider, mpsc::UnboundedReceiver<Context>) {
        let world = World::new().await;
        let (server, contexts) = start_server(&world, "Server").await;
        let outsider = Outsider::new(&world, "Visitor").await;
        (world, server, outsider, contexts)
    }

    /// The peer asks and is answered, and this is what the server's handler gets.
    pub(crate) async fn asked(&mut self) -> Context {
        let request = self.peer.ask(Push::ROUTE, Vec::new()).await;
        self.peer.answer(&request).await;
        self.next_context().await
    }

    /// What the server's handler gets of a request that the test has made in another way.
    pub(crate) async fn next_context(&mut self) -> Context {
        within(self.contexts.recv()).await.unwrap()
    }

    /// A stream that the peer asks for and the server opens.
    pub(crate) async fn open(&mut self, id: &str) -> StreamSender {
        let ctx = self.asked().await;
        ctx.open_stream(&caller(&ctx), stream_id(id)).await.unwrap()
    }

    /// The server takes a stream from the peer.
    pub(crate) fn subscribe(&self, id: &str) -> Subscription {
        subscribe_from(self.server.context(), self.outsider.id(), id)
    }
}
