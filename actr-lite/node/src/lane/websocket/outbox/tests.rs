use std::sync::atomic::{AtomicBool, Ordering};

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use actr_lite_engine::accounts::Accounts;
use actr_lite_manifest::Limits;
use actr_lite_wire::{identity::ActrId, record};

use super::*;

/// Whether somebody was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The outbox of a server's connection, its socket, and the client's.
async fn connected() -> (Outbox, Arc<Writer>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_, writer) = listener.accept().await.unwrap().0.into_split();
    writer.writable().await.unwrap();
    let writer = Arc::new(Writer::plain(writer));
    (
        Outbox::new(Arc::clone(&writer), Role::Server, true, 1 << 10, account()),
        writer,
        client,
    )
}

fn account() -> Arc<PeerAccount> {
    let peer = ActrId::new(1, 1, "acme+Peer".parse().unwrap());
    Accounts::new(Limits::default().of_accounts(4 << 20), 1, false)
        .of(&peer)
        .unwrap()
}

fn send(outbox: &Outbox, urgency: Urgency, body: &[u8]) {
    outbox.try_send(RecordKind::StreamReliable, urgency, &[], body).unwrap();
}

fn write(outbox: &Outbox, writer: &Writer) -> (Outgoing, Arc<Woken>) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    match outbox.poll_write(writer, &mut Context::from_waker(&waker)) {
        Poll::Ready(outgoing) => (outgoing.unwrap(), woken),
        Poll::Pending => panic!("the socket takes nothing"),
    }
}

#[tokio::test]
async fn what_is_behind_a_write_leaves_in_the_next_turn() {
    let (outbox, writer, mut client) = connected().await;
    outbox.ping();
    send(&outbox, Urgency::Later, b"a record");
    assert_eq!(write(&outbox, &writer).0, Outgoing::More);
    let mut ping = [0; 2];
    client.read_exact(&mut ping).await.unwrap();
    assert_eq!(ping, [0x89, 0]);
    let nothing = client.try_read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);

    assert_eq!(write(&outbox, &writer).0, Outgoing::Idle);
    let mut message = [0; 2 + record::HEADER_LEN + 8];
    client.read_exact(&mut message).await.unwrap();
    assert!(message.ends_with(b"a record"), "{message:?}");
}

#[tokio::test]
async fn a_driver_that_rests_is_woken_unless_the_record_waits() {
    let (outbox, writer, _client) = connected().await;
    let (outgoing, woken) = write(&outbox, &writer);
    assert_eq!(outgoing, Outgoing::Idle);
    send(&outbox, Urgency::Later, b"waits");
    assert!(!woken.0.load(Ordering::SeqCst));
    send(&outbox, Urgency::Pause, b"leaves when its sender pauses");
    assert!(woken.0.load(Ordering::SeqCst));
}

/// Whether the outbox was locked when somebody was woken.
struct LockSeen {
    outbox: Arc<Outbox>,
    locked: AtomicBool,
    woken: AtomicBool,
}

impl std::task::Wake for LockSeen {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.locked
            .fetch_or(self.outbox.state.try_lock().is_err(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn nobody_is_woken_under_the_lock() {
    let (outbox, writer, _client) = connected().await;
    let outbox = Arc::new(outbox);
    let seen = Arc::new(LockSeen {
        outbox: Arc::clone(&outbox),
        locked: AtomicBool::new(false),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&seen));
    let mut turn = outbox.room(Precedence::Bulk).turn();
    let mut room = std::pin::pin!(turn.wait());
    let actions: [fn(&Outbox); 3] = [
        |outbox| send(outbox, Urgency::Pause, b"a record"),
        Outbox::ping,
        |outbox| send(outbox, Urgency::Now, b"a record"),
    ];
    for (number, action) in actions.iter().enumerate() {
        let mut cx = Context::from_waker(&waker);
        while outbox.poll_write(&writer, &mut cx).map(Result::unwrap) != Poll::Ready(Outgoing::Idle) {}
        if number == 2 {
            // The driver has written, and told of room: this sender takes that, and does not tell the next.
            let mut taken = outbox.room(Precedence::Bulk).turn();
            taken.wait().await;
            std::mem::forget(taken);
            assert!(std::future::Future::poll(room.as_mut(), &mut cx).is_pending());
        }
        seen.woken.store(false, Ordering::SeqCst);
        action(&outbox);
        assert!(seen.woken.load(Ordering::SeqCst), "action {number}");
    }
    assert!(!seen.locked.load(Ordering::SeqCst));
}
