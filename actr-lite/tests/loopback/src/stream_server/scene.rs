//! A client of scripted servers, and the world that they live in.

use actr_lite::ActrRef;

use crate::{
    harness::{deadline::until, stream::stream_id, world::World},
    stream_server::{
        reception::Reception,
        request::{Request, STREAM},
        script::{Asked, Conduct},
        server::{MortalServer, Server, server_type},
    },
};

/// A registry and a client, and the servers that the test adds.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) client: ActrRef,
}

impl Scene {
    pub(crate) async fn without_servers() -> Self {
        let world = World::new().await;
        let client = world.client().await;
        Self { world, client }
    }

    pub(crate) async fn with_server(script: impl Fn(Asked) -> Conduct + Send + Sync + 'static) -> (Self, Server) {
        let scene = Self::without_servers().await;
        let server = scene.add_server(script).await;
        (scene, server)
    }

    pub(crate) async fn add_server(&self, script: impl Fn(Asked) -> Conduct + Send + Sync + 'static) -> Server {
        Server::start(&self.world, script).await
    }

    pub(crate) async fn add_mortal_server(
        &self,
        script: impl Fn(Asked) -> Conduct + Send + Sync + 'static,
    ) -> MortalServer {
        MortalServer::start(&self.world, script).await
    }

    /// What the client may ask for.
    pub(crate) fn request(&self) -> Request {
        Request::of(&self.client)
    }

    /// The client asks for a stream until a server agrees.
    pub(crate) async fn receive(&self) -> Reception {
        self.request().receive().await
    }

    /// Waits until the registry names this many servers.
    pub(crate) async fn lists(&self, servers: usize) {
        let server_type = server_type();
        until(|| async {
            let found = self.client.context().discover_all(&server_type).await;
            let count = found.map_or(0, |found| found.len());
            (count == servers).then_some(())
        })
        .await;
    }

    /// Whether the stream's id is free for another stream of the client.
    pub(crate) fn is_stream_id_free(&self) -> bool {
        let ctx = self.client.context();
        ctx.subscribe(stream_id(STREAM), &ctx.self_id()).is_ok()
    }
}
