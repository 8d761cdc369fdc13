//! What generated code and the runtime agree on.

use std::{future::Future, pin::Pin};

use bytes::Bytes;

use crate::{actor::context::Context, error::actr_error::ActrError};

/// What is known of a service at build time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceDescriptor {
    /// `package.Service`.
    pub name: &'static str,
    /// The proto package.
    pub package: &'static str,
    /// The file name of the proto that defines it; `exports` of Actr.toml names the same file.
    pub proto_file: &'static str,
    /// That proto's text, as it was compiled.
    pub proto_source: &'static str,
    /// The semantic fingerprint of that proto: it changes with the contract, not with comments or formatting.
    pub proto_fingerprint: &'static str,
    /// `package.Service.Method`, one for each rpc.
    pub routes: &'static [&'static str],
}

/// What a dispatcher returns: the encoded response.
pub type DispatchFuture = Pin<Box<dyn Future<Output = Result<Bytes, ActrError>> + Send>>;

/// A service as the router calls it; generated dispatchers implement it.
pub trait Service: Send + Sync + 'static {
    /// What is known of it at build time.
    fn descriptor(&self) -> &'static ServiceDescriptor;

    /// Decodes the request, calls the handler, encodes the response.
    ///
    /// `route` is one of the descriptor's; any other gives an error with the code UnknownRoute.
    fn dispatch(&self, route: &str, payload: Bytes, ctx: Context) -> DispatchFuture;
}

/// A request message: it knows its route and its response, so that a call is typed.
pub trait Rpc: prost::Message + Default + 'static {
    /// `package.Service.Method`.
    const ROUTE: &'static str;
    /// What the call answers.
    type Response: prost::Message + Default + 'static;
}

/// What generated dispatchers are made of.
#[doc(hidden)]
pub mod generated {
    use actr_lite_wire::error_code::ErrorCode;
    pub use bytes::Bytes;
    use prost::Message;

    use super::DispatchFuture;
    use crate::ActrError;

    pub fn decode_request<M: Message + Default>(route: &str, payload: Bytes) -> Result<M, ActrError> {
        M::decode(payload).map_err(|cause| {
            ActrError::new(
                ErrorCode::DecodeFailure,
                format!("the request for {route} cannot be decoded: {cause}"),
            )
        })
    }

    pub fn encode_response(message: &impl Message) -> Bytes {
        message.encode_to_vec().into()
    }

    pub fn unknown_route(route: &str) -> DispatchFuture {
        let error = ActrError::new(
            ErrorCode::UnknownRoute,
            format!("no service here has the route {route}"),
        );
        Box::pin(std::future::ready(Err(error)))
    }
}
