//! What caused a call travels with it, and with the calls that it causes.

use actr_lite::{Context, Rpc as _, TraceContext};
use actr_lite_wire::{envelope::Envelope, record::RecordKind};
use tokio::sync::mpsc;

use crate::{
    harness::{
        deadline::within,
        messages::{Answer, Push},
        pair::Pair,
        stream::caller,
    },
    raw_peer::visit::Visit,
};

fn trace_of(ctx: &Context) -> TraceContext {
    ctx.trace_context().unwrap().clone()
}

fn sampled() -> TraceContext {
    let parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    TraceContext::parse(parent, Some(b"vendor=1")).unwrap()
}

/// What a handler has of a call that carries this.
async fn called_with(visit: &mut Visit, carried: Option<TraceContext>) -> Context {
    let (request, mut envelope) = visit.peer.request(Push::ROUTE, Vec::new());
    if let Envelope::Request { trace, .. } = &mut envelope {
        *trace = carried;
    }
    visit
        .peer
        .send_record(RecordKind::RpcReliable, &envelope.encode())
        .await;
    visit.peer.answer(&request).await;
    visit.next_context().await
}

/// What a handler sees of such a call.
async fn seen(visit: &mut Visit, carried: Option<TraceContext>) -> TraceContext {
    trace_of(&called_with(visit, carried).await)
}

#[tokio::test]
async fn a_trace_goes_on_with_the_calls_that_a_call_causes() {
    let (calls, mut called_back) = mpsc::unbounded_channel();
    let mut pair = Pair::with_client(|client| {
        client.on(move |_: Push, ctx| {
            calls.send(trace_of(&ctx)).unwrap();
            async { Ok(Answer::default()) }
        })
    })
    .await;
    assert_eq!(pair.client.context().trace_context(), None, "it is no call's");
    let ctx = pair.asked().await;
    within(ctx.call(caller(&ctx), Push::default())).await.unwrap();
    let (first, second) = (trace_of(&ctx), called_back.recv().await.unwrap());
    assert_eq!(first.trace_id, second.trace_id);
    assert_ne!(first.span_id, second.span_id);
    let other = trace_of(&pair.asked().await);
    assert_ne!(
        first.trace_id, other.trace_id,
        "a program begins a trace with each call"
    );
}

#[tokio::test]
async fn a_caller_s_trace_goes_on_with_a_new_span() {
    let mut visit = Visit::of_official_peer().await;
    let carried = sampled();
    let seen = seen(&mut visit, Some(carried.clone())).await;
    assert_ne!(seen.span_id, carried.span_id);
    assert_eq!(carried, seen.with_span(carried.span_id), "all else is as it came");
}

#[tokio::test]
async fn a_call_without_a_trace_begins_one_that_is_not_sampled() {
    let mut visit = Visit::of_official_peer().await;
    let (one, other) = (seen(&mut visit, None).await, seen(&mut visit, None).await);
    assert_ne!(one.trace_id, other.trace_id);
    assert!(!one.is_sampled && one.state.is_empty());
}

#[tokio::test]
async fn what_goes_out_is_the_handler_s_trace_with_a_new_span() {
    let mut visit = Visit::of_extended_peer().await;
    let ctx = called_with(&mut visit, Some(sampled())).await;
    let own = trace_of(&ctx);
    let told = async { ctx.tell(caller(&ctx), Push::default()).await.unwrap() };
    let ((), (_, record)) = tokio::join!(told, visit.peer.record());
    let Ok(Envelope::Tell { trace: Some(sent), .. }) = Envelope::decode(record) else {
        panic!("a tell with a trace was sent");
    };
    assert_ne!(sent.span_id, own.span_id);
    assert_eq!(own, sent.with_span(own.span_id), "all else is the handler's");
}
