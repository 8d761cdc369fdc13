use std::{sync::Arc, time::Duration};

use actr_lite_registry::RegistryHandle;
use tokio::{sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{ActrRef, Context, Workload, lane::Closing, node_state::NodeState, tasks::contain};

/// How long a shutdown lets handlers and spawned tasks finish: what a service manager usually grants is three times
/// that.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

/// How long `on_stop` may take.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The end of a node, once it is requested.
pub(crate) struct Shutdown<W> {
    node: Arc<NodeState>,
    workload: Arc<W>,
    registry: Option<RegistryHandle>,
    grace: Duration,
}

impl<W: Workload> Shutdown<W> {
    /// Waits, in a task, for the handle's word or its drop.
    pub(crate) fn watch(
        node: Arc<NodeState>,
        workload: Arc<W>,
        registry: Option<RegistryHandle>,
        grace: Duration,
    ) -> ActrRef {
        let requested = CancellationToken::new();
        let (stopped, has_stopped) = watch::channel(false);
        let shutdown = Self {
            node: Arc::clone(&node),
            workload,
            registry,
            grace,
        };
        let request = requested.clone();
        // The one task that no tracker has: it ends all others, and the handle waits for it.
        tokio::spawn(async move {
            request.cancelled().await;
            shutdown.run().await;
            stopped.send_replace(true);
        });
        ActrRef::new(node, requested, has_stopped)
    }

    async fn run(self) {
        let Self {
            node,
            workload,
            registry,
            grace,
        } = self;
        let tasks = node.tasks();
        node.draining().cancel();
        if let Err(error) = node.link().unregister("shutting down").await {
            info!("the registry was not told of the shutdown: {error}");
        }
        // Only now: peers that are told to go elsewhere must not be sent here again.
        node.sessions().say_leaving();
        if tasks.work_count() > 0 {
            info!(
                "shutting down: {} tasks may finish within {} s",
                tasks.work_count(),
                grace.as_secs()
            );
        }
        if timeout(grace, tasks.work_done()).await.is_err() {
            warn!(
                "{} tasks did not finish within {} s and are dropped",
                tasks.work_count(),
                grace.as_secs()
            );
            tasks.give_up_work();
            tasks.work_done().await;
        }
        let on_stop = async { workload.on_stop(Context::uncalled(Arc::clone(&node))).await };
        match timeout(STOP_TIMEOUT, contain(on_stop)).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => error!("on_stop failed: {error}"),
            Ok(Err(panic)) => error!("on_stop panicked: {panic}"),
            Err(_) => error!("on_stop did not end within {} s", STOP_TIMEOUT.as_secs()),
        }
        // What on_stop itself has spawned gets no further grace.
        tasks.give_up_work();
        tasks.work_done().await;
        node.sessions().close_all(Closing::ShuttingDown);
        // What waits for frames, in a task or not, is told first: nothing else wakes it.
        node.subscriptions().stop();
        tasks.stop_runtime().await;
        node.complaints().conclude();
        if let Some(registry) = registry {
            registry.shutdown().await;
        }
    }
}
