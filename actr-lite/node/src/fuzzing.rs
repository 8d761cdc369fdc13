//! A node's session over a lane in memory, for fuzz targets: what a peer sends meets what this node does meanwhile.
//!
//! There is no socket and no registry, and only the application's tasks use the clock. It is not part of the interface.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::sync::room::Room;
use actr_lite_engine::{
    accounts::Accounts,
    outbox::{Accepted, Urgency},
};
use actr_lite_manifest::{Manifest, UpdateCommand};
use actr_lite_net::ClearText;
use actr_lite_quota::Limit;
use actr_lite_registry_client::{LinkConfig, LoadReport, RegistryLink};
use actr_lite_tls::{ClientTls, Tls};
use actr_lite_wire::{
    control::Control, envelope::Envelope, frame, identity::ActrId, record::RecordKind, record_queue::Precedence,
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{
    actor::{
        actor::Actor,
        assembly::Assembly,
        context::Context,
        router::Router,
        service::{DispatchFuture, Service, ServiceDescriptor, generated},
    },
    contracts::locked_contracts::LockedContracts,
    lane::receiver::{Receiver as _, Violation},
    lane::{
        close_reason::CloseReason,
        closing::Closing,
        lane::{Lane, SendRefused},
    },
    limits::occupancy::Occupancy,
    session::{call_options::CallOptions, receiver::SessionReceiver, session::Session},
    settings::webrtc,
    stream::subscription::Subscription,
    tasks::Tasks,
    trace::tracer::Tracer,
};

/// The route whose handler answers with what it gets.
pub const ECHO: &str = "fuzz.Fuzz.Echo";

/// The route whose handler waits until it is cancelled, or the session ends.
pub const WAIT: &str = "fuzz.Fuzz.Wait";

/// The route whose handler opens the stream to the caller that the payload names, and sends some frames and the end.
pub const STREAM: &str = "fuzz.Fuzz.Stream";

/// The stream that this node waits for after [`FuzzedSession::subscribe`].
pub const AWAITED: &str = "awaited";

/// How much of a lane waits for its peer before it is full.
const ROOM: usize = 64 << 10;

/// How many frames a stream has, and how long each is: together more than its first window.
const FRAMES: usize = 20;
const FRAME_LEN: usize = 16 << 10;

/// How often whoever is left behind the end is told of it: more than one that is woken twice needs.
const ROUNDS: usize = 8;

const MANIFEST: &str = r#"
edition = 1
exports = ["fuzz.proto"]
[package]
name = "fuzzed"
[package.actr_type]
manufacturer = "acme"
name = "Fuzzed"
[system.signaling]
url = "ws://127.0.0.1:1/signaling/ws"
[system.deployment]
realm_id = 0
"#;

static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    name: "fuzz.Fuzz",
    package: "fuzz",
    proto_file: "fuzz.proto",
    proto_source: "",
    proto_fingerprint: "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355",
    routes: &[ECHO, WAIT, STREAM],
};

struct Fuzz {
    /// Ends the handlers that wait.
    release: Arc<Notify>,
}

impl Service for Fuzz {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &DESCRIPTOR
    }

    fn dispatch(&self, route: &str, payload: Bytes, ctx: Context) -> DispatchFuture {
        let release = Arc::clone(&self.release);
        match route {
            ECHO => Box::pin(async move { Ok(payload) }),
            WAIT => Box::pin(async move {
                release.notified().await;
                Ok(Bytes::new())
            }),
            STREAM => Box::pin(async move {
                let stream_id = String::from_utf8_lossy(&payload).parse()?;
                let mut stream = ctx.open_stream_to_caller(stream_id).await?;
                ctx.spawn(async move {
                    for _ in 0..FRAMES {
                        stream.send(vec![0; FRAME_LEN]).await?;
                    }
                    stream.finish().await
                });
                Ok(Bytes::new())
            }),
            route => generated::unknown_route(route),
        }
    }
}

/// A node without a registry, whose tasks run only while a session takes a step.
pub struct FuzzedNode {
    runtime: Runtime,
    /// Tells that no task has anything to do.
    idle: Arc<Notify>,
    actor: Arc<Actor>,
    release: Arc<Notify>,
}

impl FuzzedNode {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no runtime, or what this module says of the node is wrong.
    pub fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let idle = Arc::new(Notify::new());
        let runtime = Builder::new_current_thread()
            .enable_time()
            .on_thread_park({
                let idle = Arc::clone(&idle);
                move || idle.notify_waiters()
            })
            .build()?;
        let entered = runtime.enter();
        let manifest = Manifest::parse(MANIFEST, "Actr.toml".as_ref(), &[])?;
        let release = Arc::new(Notify::new());
        let service = Fuzz {
            release: Arc::clone(&release),
        };
        let router = Router::new(vec![Arc::new(service)], &manifest)?;
        let (actr_type, tasks) = (manifest.package.actr_type.clone(), Tasks::default());
        let config = LinkConfig::new(manifest.system.signaling.url.as_str().parse()?, actr_type.clone(), 0);
        // One that has ended dials nobody.
        let ended = CancellationToken::new();
        ended.cancel();
        let link = RegistryLink::spawn(config, tasks.runtime(), ended);
        let record_limit = manifest.system.websocket.max_record_bytes;
        let contracts = LockedContracts::none(UpdateCommand::new("fuzz", "Actr.toml".as_ref()));
        let limits = manifest.system.limits;
        let accounts = Accounts::new(limits.of_accounts(record_limit.bytes()), 0, false);
        let occupancy = Occupancy::new(limits, accounts, tasks.stop().child_token());
        let assembly = Assembly {
            actr_type,
            router,
            acl: None,
            link,
            contracts,
            record_limit,
            tls: Tls {
                server: None,
                client: ClientTls::default(),
            },
            clear_text: ClearText::Nowhere,
            webrtc: webrtc::load(&manifest.system)?,
            occupancy,
            events: Arc::default(),
            tracer: Tracer::default(),
            tasks,
        };
        let actor = assembly.assemble();
        drop(entered);
        Ok(Self {
            runtime,
            idle,
            actor,
            release,
        })
    }

    /// A session with a peer; `is_extended` if the peer speaks the extension.
    ///
    /// # Errors
    /// When something of an earlier session is left, and nothing for this one.
    pub fn session(&self, is_extended: bool) -> Result<FuzzedSession<'_>, Limit> {
        let lane = Arc::new(MemoryLane {
            is_extended,
            max_record_len: self.actor.sessions.record_limit.bytes(),
            waiting: Mutex::new(0),
            read: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            room: Room::default(),
        });
        let peer_type = self.actor.id().actr_type().clone();
        let peer = ActrId::new(0, 1, peer_type);
        let account = self.actor.occupancy().accounts().of(&peer)?;
        let peers = &self.actor.peers;
        let (session, receiver) = peers.session(peer, Arc::clone(&lane) as Arc<dyn Lane>, account);
        Ok(FuzzedSession {
            fuzzed: self,
            receiver: Some(receiver),
            session,
            lane,
            awaited: None,
        })
    }

    /// Takes a step, which waits for nothing, and then gives the tasks their turn until none has anything to do.
    fn run<T>(&self, step: impl FnOnce() -> T) -> T {
        self.runtime.block_on(async {
            let result = step();
            self.idle.notified().await;
            result
        })
    }
}

/// What a node and one peer have to do with each other.
pub struct FuzzedSession<'a> {
    fuzzed: &'a FuzzedNode,
    session: Arc<Session>,
    receiver: Option<SessionReceiver>,
    lane: Arc<MemoryLane>,
    awaited: Option<Subscription>,
}

impl FuzzedSession<'_> {
    /// The peer sends a message. It is left out while the session has no room for more.
    ///
    /// # Errors
    /// Why the connection is closed: nothing may be received behind it.
    pub fn receive(&mut self, message: &[u8]) -> Result<(), String> {
        let Some(receiver) = &mut self.receiver else {
            return Ok(());
        };
        let message = Bytes::copy_from_slice(message);
        self.fuzzed.run(|| {
            let has_room = std::future::poll_fn(|cx| receiver.poll_room(cx))
                .now_or_never()
                .is_some();
            if has_room {
                receiver.receive(message).map_err(|Violation { reason, .. }| reason)
            } else {
                Ok(())
            }
        })
    }

    /// The peer reads all that was sent to it.
    pub fn drain(&mut self) {
        let read = std::mem::take(&mut *self.lane.waiting());
        self.lane.read.fetch_add(read as u64, Ordering::Relaxed);
        self.lane.room.tell_one();
        self.fuzzed.run(|| ());
    }

    /// This node waits for the stream [`AWAITED`], if it does not yet.
    pub fn subscribe(&mut self) {
        let (actor, peer) = (&self.fuzzed.actor, self.session.peer().clone());
        let awaited = &mut self.awaited;
        self.fuzzed.run(|| {
            if awaited.is_none()
                && let Ok(stream_id) = AWAITED.parse()
            {
                *awaited = Context::uncalled(Arc::clone(actor)).subscribe(stream_id, &peer).ok();
            }
        });
    }

    /// This node takes the next frame of that stream, if there is one.
    pub fn take(&mut self) {
        let awaited = &mut self.awaited;
        self.fuzzed.run(|| {
            if let Some(subscription) = awaited {
                // One that has ended says so from then on.
                let _ = subscription.next().now_or_never();
            }
        });
    }

    /// This node waits for that stream no longer.
    pub fn stop(&mut self) {
        let awaited = self.awaited.take();
        self.fuzzed.run(|| drop(awaited));
    }

    /// This node calls the peer, and waits for the answer in a task of its own.
    pub fn call(&mut self) {
        let session = Arc::clone(&self.session);
        let call = async move {
            // Whatever comes of it.
            let trace = Tracer::default().begin(&Span::none(), None);
            let _ = session.call(ECHO, Bytes::new(), CallOptions::default(), &trace).await;
        };
        self.fuzzed.run(|| {
            self.fuzzed.actor.tasks().spawn_work("a fuzzed call", call.boxed());
        });
    }

    /// The connection ends.
    ///
    /// # Panics
    /// When anything is left of the session: that is what a fuzz target looks for.
    pub fn end(mut self) {
        let fuzzed = self.fuzzed;
        self.awaited = None;
        self.lane.is_closed.store(true, Ordering::Relaxed);
        fuzzed.run(|| {
            if let Some(mut receiver) = self.receiver.take() {
                receiver.closed(CloseReason::Lost("the end".into()));
            }
        });
        let actor = &fuzzed.actor;
        for _ in 0..ROUNDS {
            if actor.tasks().work_count() == 0 {
                break;
            }
            // Whoever waits for room learns that there is none any more.
            self.lane.room.tell_one();
            fuzzed.release.notify_waiters();
            fuzzed.run(|| ());
        }
        assert_eq!(actor.tasks().work_count(), 0, "tasks are left");
        assert_eq!(Arc::strong_count(&self.session), 1, "somebody holds the session");
        assert_eq!(actor.occupancy().load(), LoadReport::IDLE, "places are left");
        assert!(actor.subscriptions().find(AWAITED).is_none(), "a subscription is left");
    }
}

/// A lane whose peer reads when it is told to. What is sent has to be what its kind says.
struct MemoryLane {
    is_extended: bool,
    max_record_len: usize,
    /// How many bytes the peer has not read.
    waiting: Mutex<usize>,
    /// How many it has read.
    read: AtomicU64,
    is_closed: AtomicBool,
    room: Room,
}

impl MemoryLane {
    fn waiting(&self) -> std::sync::MutexGuard<'_, usize> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane for MemoryLane {
    fn has_control(&self) -> bool {
        self.is_extended
    }

    fn max_record_len(&self) -> usize {
        self.max_record_len
    }

    fn try_send(&self, kind: RecordKind, _: Urgency, head: &[u8], body: &[u8]) -> Result<Accepted, SendRefused> {
        let record = Bytes::from([head, body].concat());
        assert!(record.len() <= self.max_record_len, "a record that is too long is sent");
        assert!(self.is_extended || !kind.is_control(), "{kind:?} without the extension");
        let is_valid = match kind {
            RecordKind::RpcReliable | RecordKind::RpcSignal => Envelope::decode(record.clone()).is_ok(),
            RecordKind::StreamReliable | RecordKind::StreamLatencyFirst => frame::decode(&record).is_ok(),
            kind => Control::decode(kind, record.clone()).is_ok(),
        };
        assert!(is_valid, "{kind:?} that can't be read: {}", record.escape_ascii());
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(SendRefused::Closed);
        }
        let mut waiting = self.waiting();
        if *waiting >= ROOM {
            return Err(SendRefused::Full);
        }
        *waiting += record.len();
        Ok(Accepted::Queued)
    }

    fn sent(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn unsent(&self) -> usize {
        *self.waiting()
    }

    fn flush(&self) {}

    fn send_control(&self, control: &Control) {
        if self.is_extended {
            let (kind, body) = control.encode();
            assert_eq!(
                Control::decode(kind, body.into()).as_ref(),
                Ok(control),
                "it reads otherwise"
            );
        }
    }

    fn room(&self, _: Precedence) -> &Room {
        &self.room
    }

    fn close(&self, _: Closing) {
        self.is_closed.store(true, Ordering::Relaxed);
    }
}
