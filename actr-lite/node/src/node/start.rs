use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use actr_lite_admin::{admin::Admin, view::NodeView};
use actr_lite_engine::{accounts::Accounts, shutdown::CLOSE_TIMEOUT};
use actr_lite_manifest::Problems;
use actr_lite_registry_client::{LinkConfig, LoadSource, RegistryLink};
use actr_lite_wire::proto::Acl;
use tokio::time::{Instant, timeout};
use tracing::info;

use crate::{
    actor::{actor::Actor, assembly::Assembly, context::Context, service::Service, workload::Workload},
    error::actr_error::ActrError,
    lane::closing::Closing,
    limits::occupancy::Occupancy,
    node::{
        actr_ref::ActrRef, check_error::CheckError, preparation::Preparation, reach, shutdown::Shutdown,
        start_error::StartError, surface, system::ActrSystem, view::View,
    },
    peers::peers::Peers,
    session::access::admits_others,
    tasks::{Tasks, contain},
};

/// A node that is not started yet.
pub struct Node<W> {
    system: ActrSystem,
    workload: Arc<W>,
    register_timeout: Option<Duration>,
    shutdown_grace: Duration,
}

impl ActrSystem {
    /// Joins it with what the node runs.
    pub fn attach<W: Workload>(self, workload: W) -> Node<W> {
        Node::new(self, Arc::new(workload))
    }
}

impl<W: Workload> Node<W> {
    fn new(system: ActrSystem, workload: Arc<W>) -> Self {
        let shutdown_grace = system.manifest().system.shutdown_grace.duration();
        Self {
            system,
            workload,
            register_timeout: None,
            shutdown_grace,
        }
    }

    /// How long [`Self::start`] waits for the registry. Without a timeout it waits until the registry answers, and says
    /// so.
    pub fn register_timeout(mut self, timeout: Duration) -> Self {
        self.register_timeout = Some(timeout);
        self
    }

    /// How long a shutdown may take altogether, instead of what `[system] shutdown_grace` says: three quarters of it are for
    /// handlers and spawned tasks, the rest for `on_stop` and for closing what is open.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Reads all that [`Self::start`] reads before it listens: configuration, environment, files and certificates. It listens
    /// nowhere, connects to nobody and writes nothing.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check(self) -> Result<(), Problems<CheckError>> {
        let Self { system, workload, .. } = self;
        let checked = find_problems(&system, workload.services());
        checked.map_err(|problems| problems.map(|problem| CheckError::new(problem, |key| system.place_of(key))))
    }

    /// Listens, registers, and calls `on_start`. Everything is in place before the first byte of a peer is read.
    ///
    /// # Errors
    /// [`StartError`] says what, where, and what to do; nothing of the node is left then.
    ///
    /// # Cancel safety
    /// Dropping it stops what was started.
    pub async fn start(self) -> Result<ActrRef, StartError> {
        let Self {
            system,
            workload,
            register_timeout,
            shutdown_grace,
        } = self;
        let prepared = Preparation::of(&system, Arc::clone(&workload).services());
        let Preparation {
            contracts,
            router,
            tls,
            realm_secret,
            clear_text,
            webrtc,
            admin_token,
            registry,
        } = prepared.map_err(Problems::into_first)?;
        let manifest = system.manifest();
        let actr_type = manifest.package.actr_type.clone();
        let (url, registry) = registry.start().await?;
        // A node that nobody is to discover is not dialled either.
        let acceptor = match manifest.system.discovery.visible {
            true => Some(reach::bind(&manifest.system.websocket).await?),
            false => None,
        };
        let record_limit = manifest.system.websocket.max_record_bytes;
        let tasks = Tasks::default();
        let mut stop_when_dropped = StopWhenDropped {
            tasks: Some(tasks.clone()),
            actor: None,
        };
        let hosted = registry.as_ref().map(|registry| Arc::clone(registry.admin()));
        let admin = hosted.unwrap_or_else(|| Admin::new(admin_token));
        admin.await_node();
        surface::serve(&admin, &manifest.system, &tls, &tasks).await?;
        let mut config = LinkConfig::new(url, actr_type.clone(), manifest.system.deployment.realm_id);
        config.tls = tls.client.clone();
        config.clear_text = clear_text;
        config.realm_secret = realm_secret;
        config.service_spec = router.service_spec(&actr_type, manifest);
        config.acl = manifest.acl.as_ref().map(Acl::from);
        config.ws_address = acceptor
            .as_ref()
            .map(|acceptor| reach::advertised(&manifest.system.websocket, &tls, acceptor));
        // A node that stops, for whatever reason, takes nothing new.
        let limits = manifest.system.limits;
        let realm_id = manifest.system.deployment.realm_id;
        let accounts = Accounts::new(
            limits.of_accounts(record_limit.bytes()),
            realm_id,
            admits_others(manifest.acl.as_ref(), realm_id),
        );
        let occupancy = Occupancy::new(limits, accounts, tasks.stop().child_token());
        let told = Arc::clone(&occupancy);
        config.load = LoadSource::new(move || told.load());
        let address = config.ws_address.clone();
        let link = RegistryLink::spawn(config, tasks.runtime(), tasks.stop().clone());
        // Before others can find this node: what they say then waits for the desk.
        let relayed = link.relayed();
        connect(&link, register_timeout).await?;

        let assembly = Assembly {
            actr_type,
            router,
            acl: manifest.acl.clone(),
            link,
            contracts,
            record_limit,
            tls,
            clear_text,
            webrtc,
            occupancy,
            events: Arc::clone(admin.events()),
            tracer: system.tracer().clone(),
            tasks: tasks.clone(),
        };
        let actor = assembly.assemble();
        stop_when_dropped.actor = Some(Arc::clone(&actor));
        let view = View::new(&actor, manifest.package.actr_type.clone(), realm_id, address);
        let weak_view: Weak<dyn NodeView> = Arc::downgrade(&(Arc::clone(&view) as Arc<dyn NodeView>));
        admin.show_node(weak_view);
        tasks.spawn_runtime(
            "the note of registrations",
            Box::pin(note_registrations(Arc::clone(&actor.peers))),
        );
        let desk = Arc::clone(actor.peers.desk());
        tasks.spawn_runtime("the WebRTC desk", Box::pin(desk.run(relayed)));
        if let Some(acceptor) = acceptor {
            let address = acceptor.local_addr();
            info!(%address, "data lane listening on {address}");
            tasks.spawn_runtime(
                "the data lane's listener",
                Box::pin(acceptor.run(Arc::clone(&actor.peers), reach::hosts(&manifest.system.websocket))),
            );
        }
        let on_start = async { workload.on_start(Context::uncalled(Arc::clone(&actor))).await };
        let on_start = contain(on_start).await;
        let on_start = on_start.unwrap_or_else(|panic| Err(ActrError::internal(format!("it panicked: {panic}"))));
        if let Err(error) = on_start {
            // The registry forgets the node anyway when its lease ends.
            let _ = actor.peers.link().unregister("on_start failed").await;
            tasks.give_up_work();
            actor.peers.close_all(Closing::ShuttingDown);
            tasks.stop_runtime(Instant::now() + CLOSE_TIMEOUT).await;
            return Err(StartError::OnStart(error));
        }
        stop_when_dropped.disarm();
        Ok(Shutdown::watch(actor, workload, registry, view, shutdown_grace))
    }
}

fn find_problems(system: &ActrSystem, services: Vec<Arc<dyn Service>>) -> Result<(), Problems<StartError>> {
    let Preparation { contracts, tls, .. } = Preparation::of(system, services)?;
    let mut problems: Vec<_> = contracts.not_locked().map(StartError::NotLocked).collect();
    if let (Some(server), Some(identity)) = (&tls.server, &system.manifest().system.tls.identity)
        && let Err(cause) = server.check_validity(SystemTime::now())
    {
        problems.push(StartError::Certificate {
            path: identity.cert.clone(),
            cause: Box::new(cause),
        });
    }
    Problems::or_value(problems, ())
}

/// Ends what a start that is dropped, or fails, has begun.
struct StopWhenDropped {
    tasks: Option<Tasks>,
    actor: Option<Arc<Actor>>,
}

impl StopWhenDropped {
    fn disarm(mut self) {
        self.tasks = None;
    }
}

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        if let Some(tasks) = &self.tasks {
            if let Some(actor) = &self.actor {
                actor.subscriptions().stop();
            }
            tasks.give_up_work();
            tasks.give_up_runtime();
        }
    }
}

/// Notes each registration: another one follows when the registry has forgotten the node.
async fn note_registrations(peers: Arc<Peers>) {
    let (mut identities, mut noted) = (peers.link().identity_changes(), None);
    loop {
        let id = identities
            .borrow_and_update()
            .as_ref()
            .map(|identity| identity.actor_id.clone());
        if let Some(id) = id.filter(|id| noted.as_ref() != Some(id)) {
            peers.tally().registered(&id);
            noted = Some(id);
        }
        // Its end is the link's, which is the node's.
        if identities.changed().await.is_err() {
            return;
        }
    }
}

/// Waits until the registry names this node to others.
async fn connect(link: &RegistryLink, register_timeout: Option<Duration>) -> Result<(), StartError> {
    let connected = link.connected();
    let Some(after) = register_timeout else {
        connected.await?;
        return Ok(());
    };
    match timeout(after, connected).await {
        Ok(identity) => {
            identity?;
            Ok(())
        }
        Err(_) if link.last_error().is_none() => Err(StartError::NoAnswer {
            after,
            standing: link.standing(),
        }),
        Err(_) => Err(StartError::NotRegistered {
            after,
            cause: link.standing(),
        }),
    }
}
