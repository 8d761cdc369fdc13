use std::{io, time::Duration};

use actr_lite_net::{DialError, http_exchange::ExchangeError};
use actr_lite_tls::TlsFileError;
use thiserror::Error;

/// Why a collector does not get what is sent to it.
#[derive(Debug, Error)]
pub(super) enum OtlpError {
    #[error("the system gives no runtime for the sender of traces: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Certificates(#[from] TlsFileError),
    #[error("its URL names no host that an HTTP request can have")]
    NoHost,
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error("the request has no answer: {0}")]
    Lost(#[from] ExchangeError),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
}
