//! Reaching a limit is an error that names it, and ends nothing that goes on already. What nobody uses is closed.

mod calls;
mod connections;
mod idle;
mod metadata;
mod streams;

use actr_lite::{ActrError, ActrRef, Context, Dest, ErrorCode, Subscription};
use tokio::sync::mpsc;

use crate::harness::{
    deadline::within,
    error_reply::remote_error,
    messages::{Answer, Ask, Push},
    node_plan::NodePlan,
    stream::{caller, stream_id},
};

async fn asked(client: &ActrRef, dest: &Dest, contexts: &mut mpsc::UnboundedReceiver<Context>) -> Context {
    asked_through(client.context(), dest, contexts).await
}

async fn asked_through(client: &Context, dest: &Dest, contexts: &mut mpsc::UnboundedReceiver<Context>) -> Context {
    within(client.call(dest, Push::default())).await.unwrap();
    contexts.recv().await.unwrap()
}

async fn echo(client: &ActrRef, dest: &Dest) -> Result<Answer, ActrError> {
    within(client.context().call(dest, Ask::default())).await
}

/// Opens a stream of the name of its request, sends one frame, and keeps it open until the receiver wants no more.
fn opening(plan: NodePlan) -> NodePlan {
    plan.on(|request: Push, ctx: Context| async move {
        let mut sender = ctx.open_stream(&caller(&ctx), stream_id(&request.text)).await?;
        ctx.spawn(async move {
            sender.send("begun").await.unwrap();
            sender.closed().await;
        });
        Ok(Answer::default())
    })
}

async fn open(client: &ActrRef, dest: &Dest, id: &str) -> Result<Subscription, ActrError> {
    let request = Push {
        text: id.into(),
        ..Push::default()
    };
    let Dest::Actor(server) = dest else { panic!("{dest}") };
    let mut subscription = client.context().subscribe(stream_id(id), server).unwrap();
    within(client.context().call(dest, request)).await?;
    assert_eq!(within(subscription.next()).await.unwrap().payload, "begun");
    Ok(subscription)
}

/// That the callee refused it for this limit, which it calls by its key.
#[track_caller]
fn assert_refused_for(error: ActrError, dest: &Dest, route: &str, key: &str, value: usize) {
    let (code, text) = remote_error(error, dest, route);
    assert_eq!(code, ErrorCode::Unavailable, "{text}");
    let key = format!("raise {key} in its Actr.toml");
    let value = format!("this node has {value} ");
    assert!(text.contains(&key) && text.contains(&value), "{text}");
}
