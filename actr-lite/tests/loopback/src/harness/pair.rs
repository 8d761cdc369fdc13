//! A server and its client.

use std::future::Future;

use actr_lite::{ActrRef, Context, DataStream, Dest, StreamId, StreamRegistration, StreamSender, Subscription};
use tokio::sync::mpsc;

use crate::harness::{
    deadline::within,
    messages::{Ask, Push},
    node_plan::NodePlan,
    server::start_plan,
    stream::caller,
    world::World,
};

/// A server and a client that is not dialable. The server hands the context of each [`Push`] over to the test, which
/// then acts as the handler would.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) server: ActrRef,
    pub(crate) client: ActrRef,
    contexts: mpsc::UnboundedReceiver<Context>,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        Self::with(|plan| plan).await
    }

    /// The same with TLS between the two.
    pub(crate) async fn with_tls() -> Self {
        Self::with(NodePlan::with_tls).await
    }

    /// With changes to the client alone.
    pub(crate) async fn with_client(change: impl FnOnce(NodePlan) -> NodePlan) -> Self {
        Self::start(|plan| plan, change).await
    }

    async fn with(change: fn(NodePlan) -> NodePlan) -> Self {
        Self::start(change, change).await
    }

    pub(crate) async fn start(
        change_server: impl FnOnce(NodePlan) -> NodePlan,
        change_client: impl FnOnce(NodePlan) -> NodePlan,
    ) -> Self {
        let world = World::new().await;
        // Costs little, and is of use to those alone who name the files.
        world.certify();
        let (server, contexts) = start_plan(change_server(world.node("Server"))).await;
        let client = change_client(world.node("Client").hidden().echo()).start().await;
        Self {
            world,
            server,
            client,
            contexts,
        }
    }

    /// The server as the client sees it.
    pub(crate) fn dest(&self) -> Dest {
        Dest::actor(self.server.actor_id())
    }

    /// The client asks, and this is what the server's handler gets.
    pub(crate) async fn asked(&mut self) -> Context {
        let client = self.client.clone();
        self.asked_by(&client).await
    }

    /// The same through a context of the client's choice.
    pub(crate) async fn asked_through(&mut self, client: &Context) -> Context {
        within(client.call(self.dest(), Push::default())).await.unwrap();
        self.contexts.recv().await.unwrap()
    }

    /// What the server's handler gets of a call that the test has made in another way.
    pub(crate) async fn next_context(&mut self) -> Context {
        within(self.contexts.recv()).await.unwrap()
    }

    pub(crate) async fn asked_by(&mut self, client: &ActrRef) -> Context {
        within(client.context().call(&self.dest(), Push::default()))
            .await
            .unwrap();
        self.contexts.recv().await.unwrap()
    }

    /// A stream that the client asks for and the server opens.
    pub(crate) async fn open(&mut self, id: &StreamId) -> StreamSender {
        let ctx = self.asked().await;
        ctx.open_stream(&caller(&ctx), id.clone()).await.unwrap()
    }

    /// The client takes a stream of this id from the server.
    pub(crate) fn subscribe(&self, id: &StreamId) -> Subscription {
        self.client
            .context()
            .subscribe(id.clone(), &self.server.actor_id())
            .unwrap()
    }

    /// The client hands each frame of a stream of this id to the callback.
    pub(crate) fn register(
        &self,
        id: &StreamId,
        callback: impl FnMut(DataStream) + Send + 'static,
    ) -> StreamRegistration {
        self.client
            .context()
            .register_stream(id.clone(), &self.server.actor_id(), callback)
            .unwrap()
    }

    /// The same, with a callback that may wait.
    pub(crate) fn register_async<F, Fut>(&self, id: &StreamId, callback: F) -> StreamRegistration
    where
        F: FnMut(DataStream) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        self.client
            .context()
            .register_stream_async(id.clone(), &self.server.actor_id(), callback)
            .unwrap()
    }

    /// A stream from the server to the client: both ends of it.
    pub(crate) async fn stream(&mut self, id: &StreamId) -> (StreamSender, Subscription) {
        let subscription = self.subscribe(id);
        (self.open(id).await, subscription)
    }

    /// A call from the client to the server and back.
    pub(crate) async fn round_trip(&self) {
        let ask = Ask {
            text: "still there".into(),
            ..Ask::default()
        };
        let answer = within(self.client.context().call(&self.dest(), ask)).await.unwrap();
        assert_eq!(answer.text, "still there");
    }

    /// Sends until the receiver takes no more, and says how many frames that were. Calls that come back in the
    /// meantime show that the connection itself is not what it waits for; one alone may overtake a sender that has
    /// just been told of room.
    pub(crate) async fn fill(&self, sender: &mut StreamSender, payload: &[u8]) -> u64 {
        let (mut frames, mut stalls) = (0, 0);
        loop {
            let before = frames;
            let call = self.round_trip();
            tokio::pin!(call);
            loop {
                tokio::select! {
                    biased;
                    sent = sender.send(payload) => {
                        sent.unwrap();
                        frames += 1;
                    }
                    () = &mut call => break,
                }
            }
            stalls = if frames == before { stalls + 1 } else { 0 };
            if stalls == 5 {
                return frames;
            }
        }
    }
}
