//! Every order of those who send, of the connection's task and of the network, in the node's own outbox.
//!
//! A task or a sender that nobody wakes is a deadlock, and so is one that is woken under the outbox's lock: loom finds both.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use actr_lite_engine::{accounts::Accounts, outbox::Urgency};
use actr_lite_manifest::Limits;
use actr_lite_wire::{
    identity::ActrId,
    record::{HEADER_LEN, RecordKind},
    record_queue::Precedence,
    websocket::{CloseCode, Role},
};
use loom::{future::block_on, thread};

use crate::{
    lane::{
        closing::Closing,
        lane::{Lane as _, SendRefused},
        websocket::{
            outbox::{Outbox, Outgoing},
            socket::Writer,
        },
    },
    looks::Looks,
    still_clock,
};

/// Each order with at most two interruptions: all of them take minutes.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    still_clock::check(&builder, check);
}

/// Longer than a connection has for nothing, and more than half of the first batch.
const LONG: [u8; 12_000] = [7; 12_000];

/// A server's outbox, and a socket that takes so much before its network carries anything.
fn connected(room: usize) -> (Arc<Outbox>, Arc<Writer>) {
    let socket = Arc::new(Writer::with_room(room));
    let accounts = Accounts::new(Limits::default().of_accounts(1 << 16), 1, false);
    let account = accounts.of(&ActrId::new(1, 1, "acme+Peer".parse().unwrap()));
    let outbox = Outbox::new(Arc::clone(&socket), Role::Server, true, 1 << 16, account.unwrap());
    (Arc::new(outbox), socket)
}

fn send(outbox: &Outbox, urgency: Urgency, body: &[u8]) -> Result<(), SendRefused> {
    outbox
        .try_send(RecordKind::StreamReliable, urgency, &[], body)
        .map(drop)
}

/// As a sender that has to wait does.
async fn send_with_patience(outbox: &Outbox, body: &[u8]) -> Result<(), SendRefused> {
    let mut turn = outbox.room(Precedence::Bulk).turn();
    loop {
        match send(outbox, Urgency::Pause, body) {
            Err(SendRefused::Full) => turn.wait().await,
            result => return result,
        }
    }
}

/// As the connection's task writes, until the close frame has left.
fn drive(outbox: &Outbox, socket: &Writer) {
    block_on(poll_fn(|cx| {
        loop {
            match outbox.poll_write(socket, cx) {
                Poll::Ready(Ok(Outgoing::Closed)) => return Poll::Ready(()),
                Poll::Ready(Ok(Outgoing::More)) => {}
                Poll::Ready(Ok(Outgoing::Idle)) | Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => panic!("{error}"),
            }
        }
    }));
}

fn driver(outbox: &Arc<Outbox>, socket: &Arc<Writer>) -> thread::JoinHandle<()> {
    let (outbox, socket) = (Arc::clone(outbox), Arc::clone(socket));
    thread::spawn(move || drive(&outbox, &socket))
}

/// How often each of these bodies left.
fn count(taken: &[u8], bodies: [&[u8]; 2]) -> [usize; 2] {
    bodies.map(|body| taken.windows(body.len()).filter(|window| *window == body).count())
}

#[test]
fn what_a_sender_leaves_behind_is_written_by_the_driver() {
    for urgency in [Urgency::Now, Urgency::Pause, Urgency::Later] {
        model(move || {
            let (outbox, socket) = connected(1 << 20);
            let driver = driver(&outbox, &socket);
            send(&outbox, urgency, b"a record").unwrap();
            outbox.close(Closing::Idle);
            driver.join().unwrap();
            assert_eq!(count(&socket.taken(), [b"a record", b"nobody uses"]), [1, 1]);
        });
    }
}

#[test]
fn a_record_that_may_wait_leaves_with_the_next_or_a_flush() {
    model(|| {
        let (outbox, socket) = connected(1 << 20);
        let flushes = thread::spawn({
            let outbox = Arc::clone(&outbox);
            move || {
                send(&outbox, Urgency::Later, b"an answer").unwrap();
                outbox.flush();
            }
        });
        send(&outbox, Urgency::Now, b"a record").unwrap();
        flushes.join().unwrap();
        // One that came while the other wrote counts on the driver.
        outbox.close(Closing::Idle);
        drive(&outbox, &socket);
        assert_eq!(count(&socket.taken(), [b"a record", b"an answer"]), [1, 1]);
    });
}

#[test]
fn records_of_two_senders_leave_once_each() {
    model(|| {
        let (outbox, socket) = connected(1 << 20);
        let driver = driver(&outbox, &socket);
        let other = thread::spawn({
            let outbox = Arc::clone(&outbox);
            move || send(&outbox, Urgency::Now, b"an answer").unwrap()
        });
        send(&outbox, Urgency::Pause, b"a record").unwrap();
        other.join().unwrap();
        outbox.close(Closing::Idle);
        driver.join().unwrap();
        assert_eq!(count(&socket.taken(), [b"a record", b"an answer"]), [1, 1]);
    });
}

#[test]
fn a_sender_that_was_refused_goes_on_when_the_network_carries() {
    model(|| {
        let (outbox, socket) = connected(100);
        // The first is begun, the second fills the queue.
        send(&outbox, Urgency::Now, &LONG).unwrap();
        send(&outbox, Urgency::Pause, &LONG).unwrap();
        assert_eq!(send(&outbox, Urgency::Pause, &LONG), Err(SendRefused::Full));
        let driver = driver(&outbox, &socket);
        let network = thread::spawn({
            let socket = Arc::clone(&socket);
            move || socket.carry(1 << 20)
        });
        block_on(send_with_patience(&outbox, &LONG)).unwrap();
        network.join().unwrap();
        outbox.close(Closing::Idle);
        driver.join().unwrap();
        assert!(socket.taken().len() > 3 * (HEADER_LEN + LONG.len()));
    });
}

#[test]
fn a_driver_before_a_full_socket_learns_that_it_is_to_close() {
    model(|| {
        let (outbox, socket) = connected(0);
        send(&outbox, Urgency::Pause, b"a record").unwrap();
        let driver = thread::spawn({
            let outbox = Arc::clone(&outbox);
            move || {
                block_on(poll_fn(|cx| match outbox.closing() {
                    Some(frame) => Poll::Ready(frame),
                    None => outbox.poll_write(&socket, cx).map(|_| panic!("the socket is full")),
                }))
            }
        });
        outbox.close(Closing::ShuttingDown);
        assert_eq!(driver.join().unwrap().code(), CloseCode::GOING_AWAY);
    });
}

#[test]
fn everybody_who_waits_learns_that_the_connection_has_ended() {
    model(|| {
        let (outbox, _socket) = connected(100);
        send(&outbox, Urgency::Now, &LONG).unwrap();
        send(&outbox, Urgency::Pause, &LONG).unwrap();
        // One that nobody polls any more can't tell the next.
        let mut first = pin!(send_with_patience(&outbox, &LONG));
        assert!(
            first
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        let sender = thread::spawn({
            let outbox = Arc::clone(&outbox);
            move || block_on(send_with_patience(&outbox, &LONG))
        });
        outbox.end();
        assert_eq!(sender.join().unwrap(), Err(SendRefused::Closed));
    });
}

#[test]
fn nobody_is_woken_under_the_lock() {
    loom::model(|| {
        let (outbox, socket) = connected(1 << 20);
        let looks = Looks::new(&outbox, |outbox| assert!(outbox.unsent() < 1 << 20));
        let waker = looks.waker();
        let mut cx = Context::from_waker(&waker);
        assert_eq!(
            outbox.poll_write(&socket, &mut cx).map(Result::unwrap),
            Poll::Ready(Outgoing::Idle)
        );
        send(&outbox, Urgency::Later, b"an answer").unwrap();
        assert_eq!(looks.woken(), 0, "it may wait");
        let actions: [fn(&Outbox); 4] = [
            |outbox| send(outbox, Urgency::Pause, b"a record").unwrap(),
            Outbox::ping,
            |outbox| outbox.pong(b"a ping"),
            |outbox| outbox.close(Closing::Idle),
        ];
        for (number, action) in actions.iter().enumerate() {
            while !matches!(outbox.poll_write(&socket, &mut cx), Poll::Ready(Ok(Outgoing::Idle))) {}
            looks.woken();
            action(&outbox);
            assert_eq!(looks.woken(), 1, "action {number}");
        }
    });
}

#[test]
fn no_sender_is_told_of_room_under_the_lock() {
    loom::model(|| {
        let (outbox, socket) = connected(100);
        send(&outbox, Urgency::Now, &LONG).unwrap();
        // What a first look was told is gone, and whoever had it tells nobody.
        let mut first = outbox.room(Precedence::Bulk).turn();
        block_on(first.wait());
        std::mem::forget(first);
        let looks = Looks::new(&outbox, |outbox| assert!(outbox.unsent() < 1 << 20));
        let waker = looks.waker();
        let mut turn = outbox.room(Precedence::Bulk).turn();
        let mut wait = pin!(turn.wait());
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        socket.carry(1 << 20);
        drop(outbox.poll_write(&socket, &mut Context::from_waker(Waker::noop())));
        assert_eq!(looks.woken(), 1);
    });
}

#[test]
fn no_waker_is_dropped_under_the_lock() {
    loom::model(|| {
        let (outbox, socket) = connected(1 << 20);
        let waker = || Looks::new(&outbox, |outbox| assert!(outbox.unsent() < 1 << 20)).waker();
        for _ in 0..2 {
            drop(outbox.poll_write(&socket, &mut Context::from_waker(&waker())));
        }
        outbox.end();
    });
}
