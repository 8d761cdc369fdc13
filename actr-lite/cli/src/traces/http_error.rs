use std::{error::Error, io, time::Duration};

use actr_lite_net::DialError;
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
    #[error("the connection broke: {0}")]
    Lost(#[from] hyper::Error),
    #[error("its answer can't be read: {0}")]
    Answer(Box<dyn Error + Send + Sync>),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
}
