use std::{collections::HashMap, future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use actr_lite::{
    ActrError, ActrId, ActrRef, ActrSystem, Context, Dest, DispatchFuture, ErrorCode, Node, Rpc, SendError, Service,
    ServiceDescriptor, StreamId, StreamSender, Subscription, Workload, generated,
};
use actr_lite_dev_certs::{DevCa, LOCAL_HOSTS};
use actr_lite_registry::{Options, Registry, RegistryHandle};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::mpsc};

/// The most that anything here may take before a test fails instead of hanging.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("it hangs")
}

/// Asks until there is an answer.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(mut probe: impl FnMut() -> F) -> T {
    within(async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// An address of this machine at which nobody listens now, for a listener whose address has to be known before.
pub(crate) fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A stream that `receiver` takes from `sender` without asking it: what the test does instead of an application.
pub(crate) fn subscribe_from(receiver: &Context, sender: &ActrId, id: &str) -> Subscription {
    receiver.subscribe(stream_id(id), sender).unwrap()
}

pub(crate) fn stream_id(text: &str) -> StreamId {
    text.parse().unwrap()
}

/// Declares a request message with its route. All have the same fields.
macro_rules! request {
    ($(#[$doc:meta])* $name:ident, $route:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, prost::Message)]
        pub(crate) struct $name {
            #[prost(string, tag = "1")]
            pub(crate) text: String,
            #[prost(uint64, tag = "2")]
            pub(crate) number: u64,
            #[prost(bytes = "bytes", tag = "3")]
            pub(crate) data: Bytes,
        }

        impl Rpc for $name {
            const ROUTE: &'static str = $route;
            type Response = Answer;
        }
    };
}

request!(
    /// Of the service that every test node exports.
    Ask,
    "open.Open.Ask"
);
request!(
    /// Another of that service.
    Push,
    "open.Open.Push"
);
request!(
    /// Of a service that no test node exports.
    Secret,
    "hidden.Hidden.Secret"
);
request!(
    /// Of a service that no test node has.
    Nowhere,
    "open.Open.Nowhere"
);

/// A message that is no [`Ask`]: field 1 is a number where a text should be.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Garbled {
    #[prost(uint64, tag = "1")]
    pub(crate) number: u64,
}

impl Rpc for Garbled {
    const ROUTE: &'static str = Ask::ROUTE;
    type Response = Answer;
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Answer {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) data: Bytes,
}

impl Answer {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            data: Bytes::new(),
        }
    }
}

static OPEN: ServiceDescriptor = ServiceDescriptor {
    name: "open.Open",
    package: "open",
    proto_file: "open.proto",
    proto_source: "",
    proto_fingerprint: "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355",
    routes: &[Ask::ROUTE, Push::ROUTE],
};

static HIDDEN: ServiceDescriptor = ServiceDescriptor {
    name: "hidden.Hidden",
    package: "hidden",
    proto_file: "hidden.proto",
    proto_source: "",
    proto_fingerprint: "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355",
    routes: &[Secret::ROUTE],
};

type Handler = Arc<dyn Fn(String, Bytes, Context) -> DispatchFuture + Send + Sync>;
type Handlers = HashMap<&'static str, Handler>;

/// What a generated dispatcher would be.
struct HandService {
    descriptor: &'static ServiceDescriptor,
    handlers: Handlers,
}

impl Service for HandService {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        self.descriptor
    }

    fn dispatch(&self, route: &str, payload: Bytes, ctx: Context) -> DispatchFuture {
        match self.handlers.get(route) {
            Some(handler) => handler(route.into(), payload, ctx),
            None => generated::unknown_route(route),
        }
    }
}

type Hook = Arc<dyn Fn(Context) -> Pin<Box<dyn Future<Output = Result<(), ActrError>> + Send>> + Send + Sync>;

#[derive(Default)]
pub(crate) struct TestWorkload {
    handlers: Handlers,
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
}

impl Workload for TestWorkload {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        let service = |descriptor| -> Arc<dyn Service> {
            Arc::new(HandService {
                descriptor,
                handlers: self.handlers.clone(),
            })
        };
        vec![service(&OPEN), service(&HIDDEN)]
    }

    async fn on_start(&self, ctx: Context) -> Result<(), ActrError> {
        match &self.on_start {
            Some(hook) => hook(ctx).await,
            None => Ok(()),
        }
    }

    async fn on_stop(&self, ctx: Context) -> Result<(), ActrError> {
        match &self.on_stop {
            Some(hook) => hook(ctx).await,
            None => Ok(()),
        }
    }
}

/// A registry, and a folder for the nodes' files.
pub(crate) struct World {
    pub(crate) registry: RegistryHandle,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self {
            registry: Registry::bind("127.0.0.1:0", options).await.unwrap().spawn(),
            folder: TempDir::new().unwrap(),
        }
    }

    /// Makes a CA and a certificate for nodes of it, in place of those that there are.
    pub(crate) fn certify(&self) -> DevCa {
        let ca = DevCa::new().unwrap();
        let cert = ca.issue(LOCAL_HOSTS).unwrap();
        actr_lite_dev_certs::write(self.folder.path(), &ca, &cert, true).unwrap();
        ca
    }

    pub(crate) fn registry_url(&self) -> String {
        format!("ws://{}/signaling/ws", self.registry.local_addr())
    }

    /// A node of the type `acme+<name>`: it exports `open.proto`, is visible, and knows no handlers yet.
    pub(crate) fn node(&self, name: &str) -> NodePlan {
        NodePlan {
            path: self.folder.path().join(format!("{name}.toml")),
            text: format!(
                "edition = 1\n\
                 exports = [\"open.proto\"]\n\
                 [package]\n\
                 name = \"{name}\"\n\
                 [package.actr_type]\n\
                 manufacturer = \"acme\"\n\
                 name = \"{name}\"\n\
                 [system.signaling]\n\
                 url = \"{}\"\n\
                 [system.deployment]\n\
                 realm_id = 1\n",
                self.registry_url()
            ),
            overrides: Vec::new(),
            workload: TestWorkload::default(),
        }
    }
}

/// A node that is still to be started.
pub(crate) struct NodePlan {
    path: std::path::PathBuf,
    text: String,
    overrides: Vec<String>,
    workload: TestWorkload,
}

impl NodePlan {
    pub(crate) fn set(mut self, key_value: &str) -> Self {
        self.overrides.push(key_value.into());
        self
    }

    /// Its data lane speaks TLS, and it trusts the world's CA.
    pub(crate) fn with_tls(self) -> Self {
        self.set("system.tls.cert=cert.pem")
            .set("system.tls.key=key.pem")
            .set("system.tls.ca=ca.pem")
    }

    /// Nobody can dial it.
    pub(crate) fn hidden(self) -> Self {
        self.set("system.discovery.visible=false")
    }

    pub(crate) fn on<R, F, Fut>(mut self, handler: F) -> Self
    where
        R: Rpc,
        F: Fn(R, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R::Response, ActrError>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let dispatch = move |route: String, payload: Bytes, ctx: Context| -> DispatchFuture {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let request = generated::decode_request::<R>(&route, payload)?;
                let response = handler(request, ctx).await?;
                Ok(generated::encode_response(&response))
            })
        };
        self.workload.handlers.insert(R::ROUTE, Arc::new(dispatch));
        self
    }

    /// [`Ask`] answers with its own text and data.
    pub(crate) fn echo(self) -> Self {
        self.on(|request: Ask, _| async move {
            Ok(Answer {
                text: request.text,
                data: request.data,
            })
        })
    }

    pub(crate) fn on_start<Fut>(mut self, hook: impl Fn(Context) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<(), ActrError>> + Send + 'static,
    {
        self.workload.on_start = Some(Arc::new(move |ctx| Box::pin(hook(ctx))));
        self
    }

    pub(crate) fn on_stop<Fut>(mut self, hook: impl Fn(Context) -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<(), ActrError>> + Send + 'static,
    {
        self.workload.on_stop = Some(Arc::new(move |ctx| Box::pin(hook(ctx))));
        self
    }

    pub(crate) fn node(self) -> Node<TestWorkload> {
        std::fs::write(&self.path, &self.text).unwrap();
        let overrides: Vec<_> = self.overrides.iter().map(|text| text.parse().unwrap()).collect();
        ActrSystem::from_toml_with(&self.path, &overrides)
            .unwrap()
            .attach(self.workload)
    }

    pub(crate) async fn start(self) -> ActrRef {
        within(self.node().start()).await.unwrap()
    }

    /// Starts it in a runtime of its own.
    pub(crate) async fn start_mortal(self) -> Mortal {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let node = runtime.spawn(self.start()).await.unwrap();
        Mortal { runtime, node }
    }
}

/// A node that can die as a killed process does: without a word. Whatever it does has to run in its own runtime.
pub(crate) struct Mortal {
    runtime: Runtime,
    pub(crate) node: ActrRef,
}

impl Mortal {
    /// Starts something in the node's runtime.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(task)
    }

    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }
}

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

    /// The same with changes to the client alone.
    pub(crate) async fn with_client(change: impl FnOnce(NodePlan) -> NodePlan) -> Self {
        Self::start(|plan| plan, change).await
    }

    /// The same with TLS between the two.
    pub(crate) async fn with_tls() -> Self {
        Self::with(NodePlan::with_tls).await
    }

    async fn with(change: fn(NodePlan) -> NodePlan) -> Self {
        Self::start(change, change).await
    }

    async fn start(
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

/// A node with [`NodePlan::echo`], which hands over the context of each [`Push`].
pub(crate) async fn start_server(world: &World, name: &str) -> (ActrRef, mpsc::UnboundedReceiver<Context>) {
    start_plan(world.node(name)).await
}

/// The same of a node with something special.
pub(crate) async fn start_plan(plan: NodePlan) -> (ActrRef, mpsc::UnboundedReceiver<Context>) {
    let (pushes, contexts) = mpsc::unbounded_channel();
    let server = plan
        .echo()
        .on(move |_: Push, ctx| {
            pushes.send(ctx).unwrap();
            async { Ok(Answer::default()) }
        })
        .start()
        .await;
    (server, contexts)
}

/// Who called.
pub(crate) fn caller(ctx: &Context) -> Dest {
    Dest::actor(ctx.caller_id().unwrap().clone())
}

pub(crate) fn assert_cancelled(error: &SendError, id: &StreamId) {
    assert!(
        matches!(error, SendError::Cancelled { stream, .. } if stream.stream_id == *id),
        "{error:?}"
    );
}

/// The callee's error reply, which names the callee and the route.
pub(crate) fn remote_error(error: ActrError, dest: &Dest, route: &str) -> (ErrorCode, String) {
    match error {
        ActrError::Remote {
            dest: from,
            route: of,
            reply,
        } => {
            assert_eq!((&from, of.as_str()), (dest, route));
            (reply.code, reply.message.into())
        }
        other => panic!("{other:?}"),
    }
}
