//! A node that only asks, and the connections over which it does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actr_lite::{ActrId, ActrRef, CallOptions, Context, Service, StreamRegistration, Workload};
use anyhow::{Result, ensure};
use protos::stream_server::RegisterStreamRequest;

use crate::{
    checker::Checker,
    server::MESSAGE_BYTES,
    settings::{Lane, Side, system},
};

/// How long to wait for the server's registry.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);

/// It has no services.
struct Asker;

impl Workload for Asker {
    fn services(self: Arc<Self>) -> Vec<Arc<dyn Service>> {
        Vec::new()
    }
}

/// Starts a node that only asks, at this registry and over this lane.
///
/// # Errors
/// When it can't be registered.
pub async fn start(registry: SocketAddr, lane: Lane) -> Result<ActrRef> {
    let node = system(Side::Client, registry, lane)?
        .attach(Asker)
        .register_timeout(REGISTER_TIMEOUT);
    Ok(node.start().await?)
}

/// A connection to a server.
#[derive(Clone)]
pub struct Connection {
    ctx: Context,
    server: ActrId,
}

impl Connection {
    /// The one that all calls to this server share.
    pub fn shared(ctx: &Context, server: &ActrId) -> Self {
        Self {
            ctx: ctx.clone(),
            server: server.clone(),
        }
    }

    /// A new one.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub async fn own(ctx: &Context, server: &ActrId) -> Result<Self> {
        Ok(Self::shared(&ctx.with_own_connection(server).await?, server))
    }

    /// Asks for a stream of `count` frames with payloads of `payload` bytes (0: just the text), and has `checker` look
    /// at them.
    ///
    /// # Errors
    /// When the server refuses, or is gone.
    pub async fn ask(
        &self,
        stream_id: String,
        count: u32,
        payload: u32,
        mut checker: Checker,
    ) -> Result<StreamRegistration> {
        let callback = move |frame| checker.check(&frame);
        let registration = self
            .ctx
            .register_stream_async(stream_id.parse()?, &self.server, callback)?;
        self.request(stream_id, count, payload).await?;
        Ok(registration)
    }

    /// Asks for a stream that is not registered here: with a `count` of 0, this is only a call.
    ///
    /// # Errors
    /// When the server refuses, or is gone.
    pub async fn request(&self, stream_id: String, count: u32, payload: u32) -> Result<()> {
        let request = RegisterStreamRequest {
            stream_id,
            message_count: i32::try_from(count)?,
        };
        let options = CallOptions {
            metadata: vec![(MESSAGE_BYTES.into(), payload.to_string())],
            ..CallOptions::default()
        };
        let response = self.ctx.call_with(&self.server, request, options).await?;
        ensure!(response.success, "{}", response.message);
        Ok(())
    }
}
