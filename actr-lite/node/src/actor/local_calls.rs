use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{actor::call::Call, error::actr_error::ActrError};

/// Calls the node's own services, exported or not.
pub(crate) trait LocalCalls: Send + Sync + 'static {
    /// Runs the handler of a route within this call.
    fn call<'a>(&'a self, route: &'a str, payload: Bytes, call: Arc<Call>) -> BoxFuture<'a, Result<Bytes, ActrError>>;
}
