use std::time::Duration;

use crate::{context::Context, deed::Deed, node::Node, routes::ROUTE};

/// How long a peer that reads nothing pretends to wait for an answer.
const PRETENCE: Duration = Duration::from_secs(1);

/// What a node does that breaks the protocol.
impl Node {
    /// Does this on each of its connections.
    pub(crate) fn misbehave(&mut self, deed: Deed, cx: &mut Context<'_>) {
        let streams: Vec<_> = self.manner.streams.iter().map(|spec| spec.id()).collect();
        let mut servers = Vec::new();
        for lane in self.lanes.iter_mut().filter(|lane| lane.is_open()) {
            cx.record(
                "breaks the protocol on connection {}, in its way {}",
                [lane.socket.connection, deed as u64],
            );
            lane.outbox.send_raw(&deed.bytes(&streams, cx.rng));
            servers.push(lane.peer.clone());
        }
        if let Deed::Deaf = deed {
            for server in servers {
                self.exchange(server, cx.now + PRETENCE, ROUTE, 0, Vec::new());
            }
            // The requests leave before that.
            self.poll(cx);
            self.lanes.iter_mut().for_each(|lane| lane.is_deaf = true);
        }
        self.poll(cx);
    }
}
