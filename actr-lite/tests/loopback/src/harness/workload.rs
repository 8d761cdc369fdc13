//! The services of a test node, by hand, and what it does when it starts and stops.

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc};

use actr_lite::{ActrError, Context, DispatchFuture, Rpc, Service, ServiceDescriptor, Workload, generated};
use bytes::Bytes;

use crate::harness::messages::{Ask, Push, Secret};

#[derive(Default)]
pub(crate) struct TestWorkload {
    handlers: Handlers,
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
}

impl TestWorkload {
    pub(crate) fn answer<R, F, Fut>(&mut self, handler: F)
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
        self.handlers.insert(R::ROUTE, Arc::new(dispatch));
    }

    pub(crate) fn at_start<Fut>(&mut self, hook: impl Fn(Context) -> Fut + Send + Sync + 'static)
    where
        Fut: Future<Output = Result<(), ActrError>> + Send + 'static,
    {
        self.on_start = Some(Arc::new(move |ctx| Box::pin(hook(ctx))));
    }

    pub(crate) fn at_stop<Fut>(&mut self, hook: impl Fn(Context) -> Fut + Send + Sync + 'static)
    where
        Fut: Future<Output = Result<(), ActrError>> + Send + 'static,
    {
        self.on_stop = Some(Arc::new(move |ctx| Box::pin(hook(ctx))));
    }
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
