//! A server that follows a script.

use std::{future::pending, sync::Arc};

use actr_lite::{ActrError, ActrId, ActrRef, ActrType, Context, SendError};

use crate::{
    harness::{
        deadline::until,
        messages::{Answer, Push},
        mortal::Mortal,
        node_plan::NodePlan,
        stream::stream_id,
        world::World,
    },
    stream_server::{
        log::Log,
        outgoing::Outgoing,
        script::{Asked, Conduct},
    },
};

/// The name in the type of all these servers.
pub(crate) const SERVER: &str = "Server";

/// A server that runs.
pub(crate) struct Server {
    pub(crate) node: ActrRef,
    log: Arc<Log>,
}

impl Server {
    pub(crate) async fn start(world: &World, script: impl Fn(Asked) -> Conduct + Send + Sync + 'static) -> Self {
        let (plan, log) = plan(world, script);
        let node = plan.start().await;
        Self { node, log }
    }

    pub(crate) fn id(&self) -> ActrId {
        self.node.actor_id()
    }

    /// Behind which frame it was asked for the stream, for each request.
    pub(crate) fn asked(&self) -> Vec<u64> {
        self.log.asked()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn was_asked(&self, times: usize) {
        until(|| async { (self.asked().len() >= times).then_some(()) }).await;
    }

    /// Waits until a receiver wanted no more; how those streams ended that their receivers did not want to the end.
    pub(crate) async fn was_stopped(&self) -> Vec<SendError> {
        until(|| async { Some(self.log.stopped()).filter(|stopped| !stopped.is_empty()) }).await
    }

    pub(crate) fn stopped(&self) -> Vec<SendError> {
        self.log.stopped()
    }
}

/// A server that can be killed.
pub(crate) struct MortalServer {
    mortal: Mortal,
    log: Arc<Log>,
}

impl MortalServer {
    pub(crate) async fn start(world: &World, script: impl Fn(Asked) -> Conduct + Send + Sync + 'static) -> Self {
        let (plan, log) = plan(world, script);
        let mortal = plan.start_mortal().await;
        Self { mortal, log }
    }

    pub(crate) fn id(&self) -> ActrId {
        self.mortal.node.actor_id()
    }

    /// It dies; what remains of it.
    pub(crate) fn kill(self) -> Arc<Log> {
        self.mortal.kill();
        self.log
    }
}

/// A server that does what the script says.
pub(crate) fn plan(world: &World, script: impl Fn(Asked) -> Conduct + Send + Sync + 'static) -> (NodePlan, Arc<Log>) {
    let log = Arc::new(Log::default());
    let script_log = Arc::clone(&log);
    let plan = world.node(SERVER).echo().on(move |push: Push, ctx: Context| {
        let log = Arc::clone(&script_log);
        let after = ctx.resume_after();
        let conduct = after.map(|after| {
            script(Asked {
                before: log.note_asked(after),
                after,
                frames: push.number,
            })
        });
        async move {
            let id = stream_id(&push.text);
            match conduct? {
                Conduct::Refuse(code, text) => return Err(ActrError::new(code, text)),
                Conduct::Send(sending) => {
                    let outgoing = Outgoing::open(&ctx, &id, &sending.numbers).await?;
                    ctx.spawn(outgoing.send(sending, log));
                }
                Conduct::SendFirst(sending) => {
                    Outgoing::open(&ctx, &id, &sending.numbers)
                        .await?
                        .send(sending, log)
                        .await
                }
                Conduct::SendUnanswered(sending) => {
                    let outgoing = Outgoing::open(&ctx, &id, &sending.numbers).await?;
                    ctx.spawn(outgoing.send(sending, log));
                    pending().await
                }
            }
            Ok(Answer::default())
        }
    });
    (plan, log)
}

/// The type of all these servers.
pub(crate) fn server_type() -> ActrType {
    format!("acme+{SERVER}").parse().unwrap()
}

/// What asks a server for a stream.
pub(crate) fn push(id: &str, frames: u64) -> Push {
    Push {
        text: id.into(),
        number: frames,
        ..Push::default()
    }
}
