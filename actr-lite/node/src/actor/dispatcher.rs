use std::sync::{Arc, Weak};

use actr_lite_wire::identity::ActrId;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    actor::{actor::Actor, call::Call, context::Context, local_calls::LocalCalls, router::Router},
    error::actr_error::ActrError,
    session::{
        serve::{Serve, ServedRequest},
        served_call::ServedCall,
        session_environment::SessionEnvironment,
    },
};

/// Runs handlers, for peers and for the node itself.
pub(crate) struct Dispatcher {
    router: Arc<Router>,
    sessions: Arc<SessionEnvironment>,
    /// What the handlers' contexts use: it has the connections, which have this.
    actor: Weak<Actor>,
}

impl Dispatcher {
    pub(crate) fn new(router: Router, sessions: Arc<SessionEnvironment>, actor: Weak<Actor>) -> Self {
        Self {
            router: Arc::new(router),
            sessions,
            actor,
        }
    }

    fn actor(&self) -> Result<Arc<Actor>, ActrError> {
        self.actor.upgrade().ok_or(ActrError::Stopping)
    }
}

impl Serve for Dispatcher {
    fn check(&self, route: &str, caller: &ActrId) -> Result<&'static str, ActrError> {
        self.router.check(route, &self.sessions.access, caller)
    }

    fn serve(&self, served: ServedCall, request: ServedRequest) -> BoxFuture<'static, ()> {
        let (actor, router) = (self.actor(), Arc::clone(&self.router));
        Box::pin(async move {
            let ServedRequest {
                payload,
                metadata,
                trace,
                timeout,
                aborted,
            } = request;
            let call = Arc::new(Call::new(Some(served.session().clone()), metadata, timeout, trace));
            let handler = async {
                let actor = actor?;
                if actor.streams().is_stopping() {
                    return Err(ActrError::Stopping);
                }
                let ctx = Context::new(actor, Arc::clone(&call));
                router.dispatch(served.route(), payload, ctx).await
            };
            let Some(result) = served.run(aborted, handler).await else {
                return;
            };
            call.returned();
            let hold = call.hold();
            // Nothing of the call is kept while the answer waits for room.
            drop(call);
            served.finish(result, hold).await;
        })
    }
}

impl LocalCalls for Dispatcher {
    fn call<'a>(&'a self, route: &'a str, payload: Bytes, call: Arc<Call>) -> BoxFuture<'a, Result<Bytes, ActrError>> {
        Box::pin(async move {
            let ctx = Context::new(self.actor()?, call);
            self.router.dispatch(route, payload, ctx).await
        })
    }
}
