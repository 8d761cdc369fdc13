use std::{future::Future, sync::Arc};

use crate::{
    actor::{context::Context, service::Service},
    error::actr_error::ActrError,
};

/// What a node runs: its services, and what happens when it starts and stops. A node that only calls others runs `()`.
///
/// ```
/// use std::sync::Arc;
/// use actr_lite::{ActrError, Context, Service, Workload};
///
/// struct Quiet;
///
/// impl Workload for Quiet {
///     fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
///         Vec::new()
///     }
///
///     async fn on_start(&self, ctx: Context) -> Result<(), ActrError> {
///         tracing::info!("{} is running", ctx.self_id());
///         Ok(())
///     }
/// }
/// ```
pub trait Workload: Send + Sync + 'static {
    /// The services, each as a generated dispatcher around its handler. Called once, before anything starts.
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>>;

    /// Called once, when the node is registered and can be called. An error stops the node, and `start` returns it.
    fn on_start(&self, ctx: Context) -> impl Future<Output = Result<(), ActrError>> + Send {
        let _ = ctx;
        std::future::ready(Ok(()))
    }

    /// Called once, when the node stops: calls and streams have ended or were given up, the connections are still open.
    /// It is given up when an eighth of `[system] shutdown_grace` is left, and has at least as much for itself.
    fn on_stop(&self, ctx: Context) -> impl Future<Output = Result<(), ActrError>> + Send {
        let _ = ctx;
        std::future::ready(Ok(()))
    }
}

/// No services: the node calls others, and nobody calls it.
impl Workload for () {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        Vec::new()
    }
}
