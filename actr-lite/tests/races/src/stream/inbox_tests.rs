//! Every order of what comes, of who takes it, and of who ends it, in the node's own inbox.
//!
//! A reader or a connection that nobody wakes is a deadlock, and so is one that is woken under the inbox's lock: loom finds
//! both.

use std::{
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use actr_lite_engine::inbox::{MAX_WAITING_WITHOUT_CREDIT, Pushed};
use actr_lite_wire::record::RecordKind;
use bytes::Bytes;
use futures_util::FutureExt as _;
use loom::{future::block_on, thread};

use crate::{
    looks::Looks,
    still_clock,
    stream::{
        in_place::{InPlace, StreamTasks},
        inbox::Inbox,
        stream_end::StreamEnd,
        uplink::Uplink,
    },
};

/// Each order with at most three interruptions: all of them take minutes.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    still_clock::check(&builder, check);
}

/// An inbox, and the connection that feeds it.
fn bound(has_credit: bool) -> (Arc<Inbox>, Arc<Uplink>) {
    let uplink = Uplink::new(has_credit);
    let inbox = Inbox::new("s".parse().unwrap(), uplink.peer().clone());
    inbox.bind(&uplink).unwrap();
    (inbox, uplink)
}

/// Records of this length come, whatever is in them.
fn come(inbox: &Inbox, len: usize) -> Pushed {
    let has_credit = inbox.source().unwrap().lane().has_control();
    let message = Bytes::from(vec![RecordKind::StreamReliable as u8; len]);
    inbox.deliver(&message, 0..len, len, has_credit)
}

/// The sender has no more.
fn finish(inbox: &Inbox) {
    inbox.deliver_end(StreamEnd::Finished { frames: 1 });
}

/// As a subscription takes frames; how many bytes there were before the end.
async fn read(inbox: Arc<Inbox>) -> usize {
    let (mut taken, mut all) = (0, 0);
    while let Some(run) = poll_fn(|cx| inbox.poll_run(cx, mem::take(&mut taken))).await {
        taken = run.len();
        all += taken;
    }
    all
}

/// As a connection waits that is not to read more.
async fn room(inbox: Arc<Inbox>) {
    poll_fn(|cx| inbox.poll_room(cx)).await;
}

#[test]
fn a_reader_is_woken_by_what_comes() {
    model(|| {
        let (inbox, _uplink) = bound(true);
        let comes = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || come(&inbox, 10)
        });
        let run = block_on(poll_fn(|cx| inbox.poll_run(cx, 0)));
        assert_eq!(run.map(|run| run.len()), Some(10));
        comes.join().unwrap();
    });
}

#[test]
fn a_reader_gets_all_that_comes_and_then_the_end() {
    model(|| {
        let (inbox, _uplink) = bound(true);
        let reader = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || block_on(read(inbox))
        });
        for len in [10, 20] {
            come(&inbox, len);
        }
        finish(&inbox);
        assert_eq!(reader.join().unwrap(), 30);
    });
}

#[test]
fn a_reader_learns_that_its_stream_was_given_up() {
    model(|| {
        let (inbox, _uplink) = bound(true);
        let reader = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || block_on(read(inbox))
        });
        let gives_up = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.end(StreamEnd::Cancelled)
        });
        come(&inbox, 10);
        gives_up.join().unwrap();
        assert!([0, 10].contains(&reader.join().unwrap()));
        assert_eq!(inbox.ended(), Some(StreamEnd::Cancelled));
        assert!(inbox.is_abandoned());
    });
}

#[test]
fn a_connection_without_room_is_read_again_when_some_was_taken() {
    model(|| {
        let (inbox, _uplink) = bound(false);
        assert_eq!(come(&inbox, MAX_WAITING_WITHOUT_CREDIT), Pushed::Full);
        let reader = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || block_on(read(inbox))
        });
        block_on(room(Arc::clone(&inbox)));
        assert_eq!(come(&inbox, 10), Pushed::Taken);
        finish(&inbox);
        assert_eq!(reader.join().unwrap(), MAX_WAITING_WITHOUT_CREDIT + 10);
    });
}

#[test]
fn a_stream_that_ends_holds_up_no_connection() {
    model(|| {
        let (inbox, _uplink) = bound(false);
        assert_eq!(come(&inbox, MAX_WAITING_WITHOUT_CREDIT), Pushed::Full);
        let ends = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.end(StreamEnd::Cancelled)
        });
        block_on(room(Arc::clone(&inbox)));
        ends.join().unwrap();
        assert_eq!(come(&inbox, 10), Pushed::Ended);
    });
}

#[test]
fn a_callback_gets_everything_in_place_or_as_a_task() {
    model(|| {
        let (inbox, uplink) = bound(true);
        let (tasks, all) = (StreamTasks::default(), Arc::new(std::sync::OnceLock::new()));
        let callback = {
            let (inbox, all) = (Arc::clone(&inbox), Arc::clone(&all));
            async move { all.set(read(inbox).await).unwrap() }
        };
        inbox.run_in_place(InPlace::start(tasks.clone(), callback.boxed(), || true));
        let other = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || come(&inbox, 20)
        });
        come(&inbox, 10);
        other.join().unwrap();
        finish(&inbox);
        if let Some(task) = tasks.take() {
            block_on(task);
        }
        assert_eq!(all.get(), Some(&30));
        assert_eq!(uplink.lane().granted(), 0, "so little is worth no record");
    });
}

#[test]
fn a_callback_ends_once_whoever_ends_its_stream() {
    model(|| {
        let (inbox, _uplink) = bound(true);
        let (tasks, over) = (StreamTasks::default(), Arc::new(std::sync::OnceLock::new()));
        let callback = {
            let (inbox, over) = (Arc::clone(&inbox), Arc::clone(&over));
            async move {
                read(inbox).await;
                over.set(()).unwrap();
            }
        };
        inbox.run_in_place(InPlace::start(tasks.clone(), callback.boxed(), || true));
        let unregisters = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.end(StreamEnd::Cancelled)
        });
        come(&inbox, 10);
        finish(&inbox);
        unregisters.join().unwrap();
        if let Some(task) = tasks.take() {
            block_on(task);
        }
        assert!(over.get().is_some());
    });
}

#[test]
fn nobody_is_woken_under_the_lock() {
    loom::model(|| {
        let (inbox, _uplink) = bound(false);
        let looks = Looks::new(&inbox, |inbox| drop(inbox.ended()));
        let waker = looks.waker();
        let mut cx = Context::from_waker(&waker);
        assert!(inbox.poll_run(&mut cx, 0).is_pending());
        come(&inbox, MAX_WAITING_WITHOUT_CREDIT);
        assert_eq!(looks.woken(), 1, "the reader");
        assert!(inbox.poll_room(&mut cx).is_pending());
        assert!(inbox.poll_run(&mut cx, 0).is_ready());
        assert_eq!(looks.woken(), 1, "the connection");
        assert!(inbox.poll_run(&mut cx, 0).is_pending());
        finish(&inbox);
        assert_eq!(looks.woken(), 1, "the reader, of the end");
        assert_eq!(inbox.poll_run(&mut cx, 0), Poll::Ready(None));
    });
}

#[test]
fn no_waker_is_dropped_under_the_lock() {
    loom::model(|| {
        let (inbox, _uplink) = bound(false);
        come(&inbox, MAX_WAITING_WITHOUT_CREDIT);
        for poll in [
            |inbox: &Inbox, cx: &mut Context<'_>| inbox.poll_room(cx).is_pending(),
            |inbox: &Inbox, cx: &mut Context<'_>| {
                while inbox.poll_run(cx, 0).is_ready() {}
                true
            },
        ] {
            for _ in 0..2 {
                let waker = Looks::new(&inbox, |inbox| drop(inbox.ended())).waker();
                assert!(poll(&inbox, &mut Context::from_waker(&waker)));
            }
        }
    });
}
