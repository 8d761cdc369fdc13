//! What another node says by way of the registry to agree on a session over WebRTC.

use std::time::{Duration, Instant};

use actr_lite::ActrId;
use actr_lite_registry_client::Relayed;
use actr_lite_wire::proto::{SessionDescription, actr_relay::Payload, session_description::Type};
use prost::Message as _;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    harness::{deadline::within, world::World},
    raw_peer::outsider::Outsider,
};

/// How many signals of one peer a node takes at once, and then in a second.
const BURST: usize = 256;
const PER_SECOND: usize = 20;

/// How many are said before what counts, and how many at once: a link holds 256.
const JUNK: usize = 4;
const AT_ONCE: usize = 100;

const OFFERS: usize = 10;

/// When one that was not answered is said again.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// An offer of data channels.
const OFFER: &str = "v=0\r\n\
    o=- 1 2 IN IP4 0.0.0.0\r\n\
    s=-\r\n\
    t=0 0\r\n\
    a=group:BUNDLE 0\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
    c=IN IP4 0.0.0.0\r\n\
    a=mid:0\r\n\
    a=sctp-port:5000\r\n\
    a=ice-ufrag:abcd\r\n\
    a=ice-pwd:0123456789abcdef01234567\r\n\
    a=fingerprint:sha-256 \
    00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
    a=setup:actpass\r\n";

/// A peer that offers sessions.
struct Offerer {
    outsider: Outsider,
    heard: mpsc::Receiver<Relayed>,
    node: ActrId,
    /// How many of its offers were answered.
    answered: usize,
}

impl Offerer {
    async fn new(world: &World, node: &ActrId) -> Self {
        let outsider = Outsider::new(world, "Offerer").await;
        Self {
            heard: outsider.link.relayed(),
            outsider,
            node: node.clone(),
            answered: 0,
        }
    }

    /// Offers a session; without an id that is no signal.
    fn offer(&self, exchange: Option<&str>) {
        let description = SessionDescription {
            r#type: Type::Offer.into(),
            sdp: OFFER.into(),
            sdp_exchange_id: exchange.map(Into::into),
        };
        let payload = Payload::SessionDescription(description.encode_to_vec().into());
        self.outsider.link.relay(self.node.clone(), payload);
    }

    /// Waits until this offer is answered.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    async fn answer_to(&mut self, exchange: &str) {
        loop {
            let Some(Relayed::Said { payload, .. }) = within(self.heard.recv()).await else {
                panic!("the registry passes nothing on");
            };
            if let Payload::SessionDescription(description) = payload {
                self.answered += 1;
                let description = SessionDescription::decode(description).unwrap();
                if description.sdp_exchange_id.as_deref() == Some(exchange) {
                    return;
                }
            }
        }
    }

    /// All that it has said is with the registry.
    async fn is_said(&self) {
        let target = self.node.actr_type();
        within(self.outsider.link.candidates(target, 1, "")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_too_much_by_way_of_the_registry_is_not_heard() {
    let world = World::new().await;
    let node = world
        .node("Node")
        .hidden()
        .set("system.webrtc.mode=prefer")
        .start()
        .await;
    let mut flooding = Offerer::new(&world, &node.actor_id()).await;
    let mut other = Offerer::new(&world, &node.actor_id()).await;
    flooding.offer(Some("first"));
    flooding.answer_to("first").await;

    let begun = Instant::now();
    for _ in 0..JUNK {
        for _ in 0..AT_ONCE {
            flooding.offer(None);
        }
        flooding.is_said().await;
    }
    for number in 0..OFFERS {
        flooding.offer(Some(&format!("one of {OFFERS}: {number}")));
    }
    flooding.is_said().await;
    other.offer(Some("other"));
    other.answer_to("other").await;
    // By now the node has got all that the first peer has said.
    let most = BURST + (PER_SECOND as f64 * begun.elapsed().as_secs_f64()) as usize + 1;
    // After a while it is listened to again.
    until_answered(&mut flooding).await;
    let answered = flooding.answered - 2;
    assert!(
        answered <= most.saturating_sub(JUNK * AT_ONCE),
        "{answered} of {OFFERS} were answered"
    );
}

/// Offers until there is an answer.
async fn until_answered(offerer: &mut Offerer) {
    within(async {
        loop {
            offerer.offer(Some("last"));
            if timeout(AGAIN_AFTER, offerer.answer_to("last")).await.is_ok() {
                return;
            }
        }
    })
    .await;
}
