//! A node that must not notice what others do.

use actr_lite_registry::RegistryHandle;
use actr_lite_wire::proto::signaling_to_actr::Payload as Answer;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    client::{CLIENT, connect, register, within},
    misbehaviour::ping,
};

/// A node that sends heartbeats without a pause, and is answered each in its turn.
pub(super) struct Bystander {
    stop: oneshot::Sender<()>,
    task: JoinHandle<u64>,
}

impl Bystander {
    pub(super) async fn start(registry: &RegistryHandle) -> Self {
        let address = registry.local_addr();
        let mut node = connect(address, &register(address, 1, CLIENT).await).await.unwrap();
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut answered = 0;
            while stopped.try_recv().is_err() {
                match node.ask(ping()).await {
                    Answer::Pong(pong) => assert_eq!(pong.seq, answered),
                    other => panic!("{other:?}"),
                }
                answered += 1;
            }
            answered
        });
        Self { stop, task }
    }

    pub(super) async fn finish(self) {
        let _ = self.stop.send(());
        assert!(within(self.task).await.unwrap() > 0);
    }
}
