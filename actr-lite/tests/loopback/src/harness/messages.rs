//! The messages of the services that every test node has.

use actr_lite::Rpc;
use bytes::Bytes;

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
