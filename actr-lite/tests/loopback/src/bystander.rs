use actr_lite::{ActrRef, Context, Dest, StreamEnd, Subscription};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::harness::{
    deadline::within,
    messages::Push,
    node_plan::NodePlan,
    stream::{caller, stream_id},
    world::World,
};

/// A client that receives a stream without an end from a server, over a connection of its own, while others misbehave.
pub(crate) struct Bystander {
    _client: ActrRef,
    stop: CancellationToken,
    sending: JoinHandle<u64>,
    receiving: JoinHandle<u64>,
}

impl Bystander {
    /// `contexts` is what [`start_server`](crate::harness::server::start_server) gave with the server.
    pub(crate) async fn start(
        world: &World,
        server: &ActrRef,
        contexts: &mut mpsc::UnboundedReceiver<Context>,
    ) -> Self {
        Self::start_with(world.node("Bystander"), server, contexts).await
    }

    /// The same as a node with something special.
    pub(crate) async fn start_with(
        plan: NodePlan,
        server: &ActrRef,
        contexts: &mut mpsc::UnboundedReceiver<Context>,
    ) -> Self {
        let client = plan.hidden().start().await;
        let id = stream_id("bystander");
        let subscription = client.context().subscribe(id.clone(), &server.actor_id()).unwrap();
        let dest = Dest::actor(server.actor_id());
        within(client.context().call(&dest, Push::default())).await.unwrap();
        let ctx = contexts.recv().await.unwrap();
        let mut sender = ctx.open_stream(&caller(&ctx), id).await.unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let sending = tokio::spawn(async move {
            let mut sent = 0;
            while !stopped.is_cancelled() {
                sender.send("undisturbed").await.unwrap();
                sent += 1;
                tokio::task::yield_now().await;
            }
            sender.finish().await.unwrap();
            sent
        });
        Self {
            _client: client,
            stop,
            sending,
            receiving: tokio::spawn(receive(subscription)),
        }
    }

    /// Ends the stream: all of it has arrived, in order.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        let sent = within(self.sending).await.unwrap();
        assert_eq!(within(self.receiving).await.unwrap(), sent);
        assert!(sent > 0);
    }
}

async fn receive(mut subscription: Subscription) -> u64 {
    let mut received = 0;
    while let Some(frame) = within(subscription.next()).await {
        received += 1;
        assert_eq!(frame.sequence, received);
    }
    assert_eq!(subscription.end(), Some(StreamEnd::Finished { frames: received }));
    received
}
