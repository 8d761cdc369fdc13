//! A node's life: it starts as a whole or not at all, and ends in order.

mod end;
mod registry;
mod shutdown;
mod start;

use std::{
    future::{Ready, ready},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use actr_lite::{ActrError, Context};
use tokio::net::TcpStream;

use crate::{
    harness::deadline::{until, within},
    raw_peer::outsider::Outsider,
};

/// What happened, in its order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<&'static str>>>);

impl Diary {
    fn note(&self, event: &'static str) {
        self.0.lock().unwrap().push(event);
    }

    /// What a node does when it stops: it says so.
    fn notes_stop(&self) -> impl Fn(Context) -> Ready<Result<(), ActrError>> + use<> {
        let diary = self.clone();
        move |_| {
            diary.note("on_stop");
            ready(Ok(()))
        }
    }

    fn events(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

async fn nobody_listens(address: SocketAddr) {
    until(|| async { TcpStream::connect(address).await.err().map(drop) }).await;
}

async fn nobody_is_registered(observer: &Outsider, name: &str) {
    let actr_type = format!("acme+{name}").parse().unwrap();
    until(|| async {
        let found = within(observer.link.candidates(&actr_type, 8, "")).await.unwrap();
        found.is_empty().then_some(())
    })
    .await;
}

/// The peer learns of the end, nobody listens or is listed any more.
async fn assert_gone(node_address: SocketAddr, observer: &Outsider, name: &str) {
    nobody_listens(node_address).await;
    nobody_is_registered(observer, name).await;
}
