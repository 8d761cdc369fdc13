//! A name is dialled at each of its addresses, whichever of them answers (Linux).

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    process::Command,
    time::Duration,
};

use harness::{Deployment, Launch, Summary};
use tokio::net::{TcpListener, TcpSocket};

/// Three addresses of this machine. Only the one in the middle answers: resolvers may turn their order around.
const ADDRESSES: [Ipv4Addr; 3] = [Ipv4Addr::new(127, 0, 0, 2), ANSWERING, Ipv4Addr::new(127, 0, 0, 4)];
const ANSWERING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// What has all of them.
const NAME: &str = "three-addresses.test";

/// Runs what follows with another /etc/hosts, which is the first argument.
const WITH_HOSTS: [&str; 6] = [
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    "mount --bind \"$0\" /etc/hosts && exec \"$@\"",
];

/// A program for which [`NAME`] has its addresses; `None` if this user may not mount anything.
fn knowing_the_name(deployment: &Deployment, launch: Launch) -> Option<Launch> {
    let hosts = deployment.path("hosts");
    let lines = ADDRESSES.map(|address| format!("{address} {NAME}\n"));
    fs::write(&hosts, lines.concat()).unwrap();
    let may_mount = Command::new("unshare").args(&WITH_HOSTS[..3]).arg("true").output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: this user may not mount anything, not even in a namespace of its own (unshare --user --mount)"
        );
        return None;
    }
    let hosts = hosts.to_str().unwrap();
    Some(launch.under("unshare", &[&WITH_HOSTS[..], &[hosts]].concat()))
}

/// An address that answers nothing, as a dead machine: the queue of a listener that accepts nobody is full.
struct Silent {
    port: u16,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Silent {
    fn new(address: Ipv4Addr, port: u16) -> Self {
        /// The system answers at once, or lets the sender try again after a second.
        const UNANSWERED: Duration = Duration::from_millis(500);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, port).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, UNANSWERED) {
            waiting.push(stream);
        }
        Self {
            port: address.port(),
            _listener: listener,
            _waiting: waiting,
        }
    }

    /// All but the one that answers, at one port.
    fn others() -> [Self; 2] {
        let [first, _, last] = ADDRESSES;
        let first = Self::new(first, 0);
        let last = Self::new(last, first.port);
        [first, last]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_reached_at_one_of_its_names_addresses() {
    let deployment = Deployment::new();
    let [silent, _other] = Silent::others();
    let registry = deployment.registry_on(&format!("{ANSWERING}:{}", silent.port));
    let registry = registry.args(["--allowed-host", NAME]).spawn();
    let url = registry.registry_url();
    let server = deployment.server_at(&url).spawn();
    server.ready();
    let client = deployment.client(&url.replace(&ANSWERING.to_string(), NAME), 10);
    if let Some(client) = knowing_the_name(&deployment, client) {
        Summary::of_success(&client.arg("--json").run(), 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_reached_at_one_of_its_names_addresses() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let [silent, _other] = Silent::others();
    let server = deployment
        .server_at(&url)
        .config("system.websocket.listen", format!("{ANSWERING}:{}", silent.port))
        .config("system.websocket.advertised", format!("ws://{NAME}:{}", silent.port))
        .spawn();
    server.ready();
    if let Some(client) = knowing_the_name(&deployment, deployment.client(&url, 10)) {
        Summary::of_success(&client.arg("--json").run(), 10);
    }
}
