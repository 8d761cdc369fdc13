//! A peer that makes a registry hold what it can.

use std::{
    net::Ipv4Addr,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use actr_lite::ActrType;
use actr_lite_wire::proto::{
    Acl, AclRule, ActrRelay, GetServiceSpecRequest, ServiceSpec, acl_rule::SourceRealm, actr_relay::Payload as Relay,
    actr_to_signaling::Payload as Request, service_spec::Protobuf, signaling_envelope::Flow,
};
use rand::{Rng as _, RngExt as _, rngs::StdRng};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::registry_memory::identity::{Door, Identity, connect, framed, register, registration};

/// What a contract has that is as long as one may be.
pub(super) const LONG_CONTENT: usize = 1_040_000;

pub(super) fn long_contract(rng: &mut StdRng) -> ServiceSpec {
    ServiceSpec {
        name: format!("Contract{}", rng.next_u32()),
        fingerprint: rng.next_u32().to_string(),
        protobufs: vec![Protobuf {
            package: "p".into(),
            content: "x".repeat(LONG_CONTENT),
            fingerprint: "f".into(),
        }],
        ..ServiceSpec::default()
    }
}

/// A list of as many rules as there may be, about types with or without long names.
pub(super) fn many_rules(rng: &mut StdRng) -> Acl {
    let long = if rng.random() { "v".repeat(50) } else { String::new() };
    let salt = rng.next_u32() % 100_000;
    let rule = |number| AclRule {
        permission: 1,
        from_type: (&format!("acme:Rule:{salt}.{number}{long}").parse::<ActrType>().unwrap()).into(),
        source_realm: Some(SourceRealm::AnyRealm(true)),
    };
    Acl {
        rules: (0..1024).map(rule).collect(),
    }
}

/// One hostile peer: it goes from one thing to the next, and keeps what it has got.
pub(super) struct Peer {
    pub(super) door: Door,
    pub(super) from: Ipv4Addr,
    pub(super) realm_id: u32,
    pub(super) rng: StdRng,
    pub(super) held: Vec<TcpStream>,
    /// Connected, and reading nothing.
    pub(super) deaf: Vec<Identity>,
}

impl Peer {
    pub(super) async fn run(mut self, until: Instant) -> Vec<TcpStream> {
        while Instant::now() < until {
            // A refusal is no reason to stop, and whatever waits for ever is left alone.
            let acted = timeout(Duration::from_secs(1), self.act()).await;
            if !matches!(acted, Ok(ControlFlow::Continue(()))) {
                sleep(Duration::from_millis(20)).await;
            }
        }
        self.held
    }

    async fn act(&mut self) -> ControlFlow<()> {
        match self.try_act().await {
            Some(()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(()),
        }
    }

    async fn try_act(&mut self) -> Option<()> {
        let (door, registry) = (self.door, self.door.registry);
        let mut stream = connect(registry, self.from).await.ok()?;
        let mut request = registration("acme:Hostile:1.0.0", self.realm_id);
        match self.rng.random_range(0..7) {
            0 => {
                request.service_spec = Some(long_contract(&mut self.rng));
                register(&mut stream, door, &request).await?;
            }
            1 => {
                request.acl = Some(many_rules(&mut self.rng));
                register(&mut stream, door, &request).await?;
            }
            2 => {
                for number in 0..200 {
                    let name = format!("acme:T{number}.{}x:1.0.0", self.rng.next_u32());
                    let mut request = registration(&name, self.realm_id);
                    request.ws_address = Some(format!("ws://h/{}", "a".repeat(2000)));
                    register(&mut stream, door, &request).await?;
                }
            }
            // A body without its last byte.
            3 => {
                self.held.push(stream);
                let stream = self.held.last_mut()?;
                stream.write_all(&door.post(1 << 20)).await.ok()?;
                stream.write_all(&vec![0; (1 << 20) - 1]).await.ok()?;
            }
            // Many requests at once, whose answers nobody reads.
            4 => {
                self.held.push(stream);
                let requests = format!("GET /health HTTP/1.1\r\nhost: {registry}\r\n\r\n").repeat(10_000);
                self.held.last_mut()?.write_all(requests.as_bytes()).await.ok()?;
            }
            // Contracts that nobody reads, and half a message.
            5 => {
                let identity = register(&mut stream, door, &request).await?;
                let stream = connect(registry, self.from).await.ok()?;
                let stream = identity.open(stream, registry).await?;
                self.held.push(stream);
                let stream = self.held.last_mut()?;
                let name = "acme:Hostile:1.0.0".to_owned();
                let asks = identity.asks(Request::GetServiceSpec(GetServiceSpecRequest {
                    name,
                    ..GetServiceSpecRequest::default()
                }));
                stream.write_all(&asks).await.ok()?;
                stream.write_all(&framed(&[0; 65_000])[..60_000]).await.ok()?;
                self.deaf.push(identity);
            }
            // Messages for those who read nothing.
            _ => {
                let identity = register(&mut stream, door, &request).await?;
                let stream = connect(registry, self.from).await.ok()?;
                let mut stream = identity.open(stream, registry).await?;
                for to in self.deaf.iter().rev().take(20) {
                    let relay = identity.says(Flow::ActrRelay(ActrRelay {
                        source: (&identity.id).into(),
                        credential: identity.credential.clone(),
                        target: (&to.id).into(),
                        payload: Some(Relay::IceCandidate(vec![0; 60_000].into())),
                    }));
                    stream.write_all(&relay).await.ok()?;
                }
                self.held.push(stream);
            }
        }
        Some(())
    }
}
