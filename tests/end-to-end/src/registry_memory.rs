//! Whatever peers make a registry hold, and however they mix it: its memory stays below what is promised, others are
//! answered meanwhile, and nothing is left afterwards.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use actr_lite::{ActrId, ActrType};
use actr_lite_wire::proto::{
    AIdCredential, Acl, AclRule, ActrRelay, ActrToSignaling, GetServiceSpecRequest, Ping, Realm, RegisterRequest,
    RegisterResponse, ServiceSpec, SignalingEnvelope, acl_rule::SourceRealm, actr_relay::Payload as Relay,
    actr_to_signaling::Payload as Request, register_response::Result as Registered, service_spec::Protobuf,
    signaling_envelope::Flow,
};
use data_encoding::BASE64;
use harness::{Deployment, Process, WAIT_TIMEOUT};
use prost::Message as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::campaign::{self, Campaign};

/// What the documentation promises for a registry with its default limits.
const PROMISED_MEMORY: u64 = 768 << 20;

/// How many hostile peers there are, each at an address of its own.
const PEERS: u8 = 24;

/// How long they go on.
const DURATION: Duration = Duration::from_secs(10);

/// A realm of the bystander's own.
const BYSTANDER_REALM: u32 = 4711;

/// How long a round of many goes on.
const ROUND: Duration = Duration::from_secs(30);

/// The secret of every realm.
const SECRET: &str = "of-all-realms-0123456789";

/// What a contract has that is as long as one may be.
const LONG_CONTENT: usize = 1_040_000;

/// A connection to the registry from one of the addresses of the loopback network.
async fn connect(registry: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    // Whoever does not read, holds little in the system's buffers.
    socket.set_recv_buffer_size(4096)?;
    socket.connect(registry).await
}

/// A registry, and the secret that is shown there.
#[derive(Clone, Copy)]
struct Door {
    registry: SocketAddr,
    secret: &'static str,
}

impl Door {
    fn post(&self, len: usize) -> Vec<u8> {
        let Self { registry, secret } = self;
        format!(
            "POST /ais/register HTTP/1.1\r\nhost: {registry}\r\nx-actrix-realm-secret: {secret}\r\n\
             content-type: application/x-protobuf\r\ncontent-length: {len}\r\n\r\n"
        )
        .into_bytes()
    }
}

struct Identity {
    id: ActrId,
    credential: AIdCredential,
}

/// Registers over a connection that stays open; nothing where it is refused.
async fn register(stream: &mut TcpStream, door: Door, request: &RegisterRequest) -> Option<Identity> {
    let body = request.encode_to_vec();
    stream.write_all(&door.post(body.len())).await.ok()?;
    stream.write_all(&body).await.ok()?;
    let mut answer = Vec::new();
    let end = loop {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let len: usize = len.and_then(|len| len.parse().ok()).unwrap_or_default();
    while answer.len() < end + len {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    match RegisterResponse::decode(&answer[end..]).ok()?.result? {
        Registered::Success(granted) => Some(Identity {
            id: ActrId::try_from(&granted.actr_id).unwrap(),
            credential: granted.credential,
        }),
        Registered::Error(_) => None,
    }
}

fn registration(actr_type: &str, realm_id: u32) -> RegisterRequest {
    RegisterRequest {
        actr_type: (&actr_type.parse::<ActrType>().unwrap()).into(),
        realm: Realm { realm_id },
        auth_mode: Some(2),
        ..RegisterRequest::default()
    }
}

fn long_contract(rng: &mut StdRng) -> ServiceSpec {
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
fn many_rules(rng: &mut StdRng) -> Acl {
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

impl Identity {
    async fn open(&self, mut stream: TcpStream, registry: SocketAddr) -> Option<TcpStream> {
        let AIdCredential {
            key_id,
            claims,
            signature,
        } = &self.credential;
        let escaped = |bytes: &[u8]| BASE64.encode(bytes).replace('+', "%2B");
        let (claims, signature, id) = (escaped(claims), escaped(signature), &self.id);
        let head = format!(
            "GET /signaling/ws?actor_id={id}&key_id={key_id}&claims={claims}&signature={signature} HTTP/1.1\r\nhost: \
             {registry}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.ok()?);
        }
        answer.starts_with(b"HTTP/1.1 101 ").then_some(stream)
    }

    /// A frame with a request.
    fn asks(&self, payload: Request) -> Vec<u8> {
        self.says(Flow::ActrToServer(ActrToSignaling {
            source: (&self.id).into(),
            credential: self.credential.clone(),
            payload: Some(payload),
        }))
    }

    fn says(&self, flow: Flow) -> Vec<u8> {
        let envelope = SignalingEnvelope {
            envelope_version: 1,
            envelope_id: "1".into(),
            flow: Some(flow),
            ..SignalingEnvelope::default()
        };
        framed(&envelope.encode_to_vec())
    }
}

/// A binary message of a client, under a mask that changes nothing (RFC 6455 §5.2).
fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap();
    [&[0x82, 0x80 | 126][..], &len.to_be_bytes(), &[0; 4], message].concat()
}

/// One hostile peer: it goes from one thing to the next, and keeps what it has got.
struct Peer {
    door: Door,
    from: Ipv4Addr,
    realm_id: u32,
    rng: StdRng,
    held: Vec<TcpStream>,
    /// Connected, and reading nothing.
    deaf: Vec<Identity>,
}

impl Peer {
    async fn run(mut self, until: Instant) -> Vec<TcpStream> {
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

/// Sends heartbeats, and waits for each answer.
async fn bystand(door: Door, until: Instant) -> u32 {
    let registry = door.registry;
    let from = Ipv4Addr::new(127, 0, 99, 1);
    let mut stream = connect(registry, from).await.unwrap();
    let request = registration("acme:Bystander:1.0.0", BYSTANDER_REALM);
    let identity = register(&mut stream, door, &request).await.unwrap();
    let stream = connect(registry, from).await.unwrap();
    let mut stream = identity.open(stream, registry).await.unwrap();
    let heartbeat = identity.asks(Request::Ping(Ping {
        availability: 0,
        power_reserve: 1.0,
        mailbox_backlog: 0.0,
        sticky_client_ids: Vec::new(),
    }));
    let mut beats = 0;
    while Instant::now() < until {
        stream.write_all(&heartbeat).await.unwrap();
        let header = timeout(WAIT_TIMEOUT, stream.read_u16()).await.unwrap().unwrap();
        let len = match header & 0x7f {
            126 => usize::from(stream.read_u16().await.unwrap()),
            len => usize::from(len),
        };
        let mut answer = vec![0; len];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = SignalingEnvelope::decode(&answer[..]).unwrap();
        assert!(matches!(answer.flow, Some(Flow::ServerToActr(_))), "{answer:?}");
        beats += 1;
        sleep(Duration::from_millis(50)).await;
    }
    beats
}

async fn nodes(registry: SocketAddr) -> String {
    let mut stream = connect(registry, Ipv4Addr::new(127, 0, 99, 2)).await.unwrap();
    let request = format!("GET /health HTTP/1.1\r\nhost: {registry}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().last().unwrap_or_default().to_owned()
}

/// A registry whose realms all have a secret.
fn start(deployment: &Deployment) -> (Process, Door) {
    let realms = deployment.path("realms.toml");
    let lines = (0..5)
        .chain([BYSTANDER_REALM])
        .map(|realm_id| format!("{realm_id} = \"{SECRET}\"\n"));
    fs::write(&realms, lines.collect::<String>()).unwrap();
    let process = deployment.registry(0).arg("--realms").arg(&realms).spawn();
    let url = process.registry_url();
    let registry = url.split('/').nth(2).unwrap().parse().unwrap();
    let secret = SECRET;
    (process, Door { registry, secret })
}

/// What all peers do who are drawn from this seed, and then the end of their leases.
async fn mixture(process: &Process, door: Door, seed: u64, duration: Duration) {
    let registry = door.registry;
    let until = Instant::now() + duration;
    let bystander = tokio::spawn(bystand(door, until));
    let mut peers = JoinSet::new();
    for number in 0..PEERS {
        // Some are of no realm at all.
        let secret = if number % 6 == 5 { "of-none" } else { door.secret };
        let peer = Peer {
            door: Door { secret, ..door },
            from: Ipv4Addr::new(127, 0, 7, number + 1),
            realm_id: u32::from(number % 5),
            rng: StdRng::seed_from_u64(seed ^ u64::from(number)),
            held: Vec::new(),
            deaf: Vec::new(),
        };
        peers.spawn(peer.run(until));
    }
    let held: Vec<_> = peers.join_all().await.into_iter().flatten().collect();
    assert!(bystander.await.unwrap() > 0);
    let (peak, mut told) = (process.peak_memory(), nodes(registry).await);
    println!("seed {seed}: {} connections, {peak} bytes, {told}", held.len());
    assert!(peak < PROMISED_MEMORY, "{peak} bytes, seed {seed}");
    drop(held);
    // The leases of all end.
    let give_up = Instant::now() + WAIT_TIMEOUT;
    while !told.ends_with("nodes: 0") {
        assert!(Instant::now() < give_up, "{told}, seed {seed}");
        sleep(Duration::from_millis(200)).await;
        told = nodes(registry).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_keeps_its_memory_whatever_peers_mix() {
    let deployment = Deployment::new();
    let (process, door) = start(&deployment);
    mixture(&process, door, campaign::seed(), DURATION).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes HOSTILE_MINUTES, or 5: cargo test -p end-to-end -- --ignored --nocapture one_mixture_after_another"]
async fn a_registry_outlives_one_mixture_after_another() {
    let deployment = Deployment::new();
    let (process, door) = start(&deployment);
    let files = process.open_files();
    let mut campaign = Campaign::of_environment();
    while let Some(seed) = campaign.next_round() {
        mixture(&process, door, seed, ROUND).await;
        let give_up = Instant::now() + WAIT_TIMEOUT;
        while process.open_files() > files {
            assert!(
                Instant::now() < give_up,
                "{} open files instead of {files}, seed {seed}",
                process.open_files()
            );
            sleep(Duration::from_millis(200)).await;
        }
        println!("{} bytes afterwards", process.resident_memory());
    }
}
