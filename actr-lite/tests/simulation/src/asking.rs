use std::time::Duration;

use actr_lite_registry_client::{ANSWER_TIMEOUT, RegistryLinkError, RegistryUrl};
use actr_lite_wire::error_code::ErrorCode;
use bytes::{Bytes, BytesMut};

use crate::{
    context::Context,
    handshake::{AGREED, Unsent, block, read_all, take_block},
    network::{REGISTRY_ADDRESS, Socket},
};

/// How long the registry may take: to connect, and to answer.
const TIMEOUT: Duration = Duration::from_secs(3).saturating_add(ANSWER_TIMEOUT);

/// A connection to the registry over which one thing is asked.
#[derive(Debug)]
pub(crate) struct Asking {
    what: &'static str,
    pub(crate) socket: Socket,
    unsent: Unsent,
    pub(crate) buffer: BytesMut,
    pub(crate) deadline: Duration,
}

impl Asking {
    pub(crate) fn new(what: &'static str, kind: u8, body: &[u8], cx: &mut Context<'_>) -> Self {
        let mut unsent = Unsent::default();
        unsent.push(&block(kind, body));
        Self {
            what,
            socket: cx.network.dial(cx.host, REGISTRY_ADDRESS, cx.now, cx.rng),
            unsent,
            buffer: BytesMut::new(),
            deadline: cx.now + TIMEOUT,
        }
    }

    /// The answer, once it is there or will not come.
    pub(crate) fn poll(&mut self, url: &RegistryUrl, cx: &mut Context<'_>) -> Option<Result<Bytes, RegistryLinkError>> {
        let sent = self.unsent.flush(self.socket, cx);
        let is_open = read_all(self.socket, &mut self.buffer, cx);
        match take_block(&mut self.buffer) {
            Some((AGREED, body)) => Some(Ok(body)),
            Some(_) => Some(Err(RegistryLinkError::Refused {
                request: self.what,
                code: ErrorCode::PermissionDenied,
                message: "it is not known".into(),
            })),
            None if sent.is_err() || !is_open => Some(Err(RegistryLinkError::Unreachable {
                url: url.clone(),
                cause: "it closed the connection".into(),
            })),
            None if cx.now >= self.deadline => Some(Err(RegistryLinkError::TimedOut {
                url: url.clone(),
                request: self.what,
                after: TIMEOUT,
            })),
            None => None,
        }
    }
}
