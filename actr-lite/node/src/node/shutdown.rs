use std::{sync::Arc, time::Duration};

use actr_lite_engine::shutdown as machine;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    actor::actor::Actor,
    actor::{context::Context, workload::Workload},
    lane::closing::Closing,
    node::{actr_ref::ActrRef, hosted_registry::HostedRegistry, view::View},
    readable_duration::readable,
    tasks::contain,
};

/// The end of a node, once it is requested.
pub(crate) struct Shutdown<W> {
    actor: Arc<Actor>,
    workload: Arc<W>,
    registry: Option<HostedRegistry>,
    /// What the node shows of itself, until its end.
    view: Arc<View>,
    grace: Duration,
}

impl<W: Workload> Shutdown<W> {
    /// Waits, in a task, for the handle's word or its drop.
    pub(crate) fn watch(
        actor: Arc<Actor>,
        workload: Arc<W>,
        registry: Option<HostedRegistry>,
        view: Arc<View>,
        grace: Duration,
    ) -> ActrRef {
        let requested = CancellationToken::new();
        let (stopped, has_stopped) = watch::channel(false);
        let shutdown = Self {
            actor: Arc::clone(&actor),
            workload,
            registry,
            view,
            grace,
        };
        let request = requested.clone();
        // The one task that no tracker has: it ends all others, and the handle waits for it.
        tokio::spawn(async move {
            request.cancelled().await;
            shutdown.run().await;
            stopped.send_replace(true);
        });
        ActrRef::new(actor, requested, has_stopped)
    }

    /// Takes no longer than its budget, whatever peers, the application and the registry do.
    async fn run(self) {
        let (actor, grace, started) = (Arc::clone(&self.actor), self.grace, Instant::now());
        let in_order = self.stop_in_order(started);
        if timeout_at(started + grace, in_order).await.is_err() {
            warn!(
                "not everything was closed within {}: the rest is dropped",
                readable(grace)
            );
            actor.tasks().give_up_work();
            actor.subscriptions().stop();
            actor.tasks().give_up_runtime();
        }
        actor.streams().complaints.conclude();
    }

    async fn stop_in_order(self, started: Instant) {
        let Self {
            actor,
            workload,
            registry,
            view: _view,
            grace,
        } = self;
        let mut shutdown = machine::Shutdown::new(grace, Duration::ZERO);
        let tasks = actor.tasks();
        actor.occupancy().draining().cancel();
        actor.streams().tally.draining();
        let leave = actor.peers.link().unregister("shutting down");
        match timeout_at(started + shutdown.until(), leave).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => info!(reason = %error, "the registry was not told of the shutdown: {error}"),
            Err(_) => info!("the registry was not told of the shutdown: it does not answer"),
        }
        shutdown.next(started.elapsed());
        actor.peers.say_leaving();
        let left = shutdown.until().saturating_sub(started.elapsed());
        if tasks.work_count() > 0 {
            info!(
                tasks = tasks.work_count(),
                "shutting down: {} tasks may finish within {} s",
                tasks.work_count(),
                left.as_secs_f64().ceil()
            );
        }
        if timeout_at(started + shutdown.until(), tasks.work_done()).await.is_err() {
            warn!(
                tasks = tasks.work_count(),
                "{} tasks did not finish within {} s and are dropped: [system] shutdown_grace is {}",
                tasks.work_count(),
                left.as_secs_f64().ceil(),
                readable(grace)
            );
            tasks.give_up_work();
            tasks.work_done().await;
        }
        shutdown.next(started.elapsed());
        let on_stop = async { workload.on_stop(Context::uncalled(Arc::clone(&actor))).await };
        match timeout_at(started + shutdown.until(), contain(on_stop)).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => error!(reason = %error, "on_stop failed: {error}"),
            Ok(Err(panic)) => error!(reason = %panic, "on_stop panicked: {panic}"),
            Err(_) => error!(
                "on_stop did not end in time: [system] shutdown_grace is {}",
                readable(grace)
            ),
        }
        // What on_stop itself has spawned gets no further time.
        tasks.give_up_work();
        tasks.work_done().await;
        shutdown.next(started.elapsed());
        actor.peers.close_all(Closing::ShuttingDown);
        // What waits for frames, in a task or not, is told first: nothing else wakes it.
        actor.subscriptions().stop();
        let stop_registry = async {
            if let Some(registry) = registry {
                registry.shutdown().await;
            }
        };
        tokio::join!(tasks.stop_runtime(started + shutdown.until()), stop_registry);
    }
}
