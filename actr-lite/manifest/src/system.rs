use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use actr_lite_wire::{
    host_policy::HostName,
    ice_server::TurnUrl,
    record_limit::{RecordLimit, RecordLimitError},
};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{
    addresses::{hosts, socket_address, some_socket_address},
    admin::Admin,
    bounded::{Lifetime, Timeout},
    dialable::{is_dialable, misses},
    document::Document,
    error::ManifestError,
    expecting::whole_number,
    limits::{Limits, RegistryLimits},
    problems::Problems,
    signaling_url::SignalingUrl,
    tls::{Tls, TlsIdentity},
    webrtc::{WebRtc, servers},
    websocket_url::WebSocketUrl,
};

/// `[system]`: how the node reaches others and is reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// `[system.signaling]`: the registry.
    pub signaling: Signaling,
    /// `[system.websocket]`: the data lane.
    #[serde(default)]
    pub websocket: WebSocket,
    /// `[system.tls]`: who it is, and whom it trusts, where addresses begin with `wss://`.
    #[serde(default)]
    pub tls: Tls,
    /// `[system.admin]`: where it tells how it is.
    #[serde(default)]
    pub admin: Admin,
    /// `[system.limits]`: what it lets happen at once.
    #[serde(default)]
    pub limits: Limits,
    /// `[system.deployment]`: where the node lives.
    pub deployment: Deployment,
    /// `[system.discovery]`: who sees it.
    #[serde(default)]
    pub discovery: Discovery,
    /// `[system.webrtc]`: for nodes with WebRTC.
    #[serde(default)]
    pub webrtc: WebRtc,
    /// `insecure`, false if absent: what this node hosts may be reached from other machines without TLS, and without a
    /// realm secret, and this node shows its credential to them without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// `shutdown_grace`, 8 s if absent: how long the node's shutdown may take altogether. Three quarters of it are for what
    /// goes on already, streams most of all.
    #[serde(default = "shutdown_grace")]
    pub shutdown_grace: Timeout,
}

/// `[system.signaling]`: the registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signaling {
    /// `url`, required: where the registry is, or is to be: what nodes dial, this one too. Port 0, any free one, only if
    /// `embedded`. One that is `embedded` at a `wss://` URL has the certificate of `[system.tls]`, which is for this host.
    pub url: SignalingUrl,
    /// `embedded`, false if absent: this process hosts the registry itself, at `url`.
    #[serde(default)]
    pub embedded: bool,
    /// `listen`, only if `embedded`: where the registry accepts connections, if that is not the host and port of `url`:
    /// with `0.0.0.0:8081` on all addresses of this machine, for instance. Port 0 is any free one, which `url` gets too.
    #[serde(default, deserialize_with = "some_socket_address")]
    pub listen: Option<SocketAddr>,
    /// `realms`: the file with the realms of that registry and their secrets. If it is absent there is the node's own
    /// realm where the node has a secret, and otherwise all there can be, open to everybody.
    pub realms: Option<PathBuf>,
    /// `data_dir`: where that registry keeps its signing keys; nowhere if it is absent.
    pub data_dir: Option<PathBuf>,
    /// `audit_log`: the file in which that registry notes registrations and refusals; nowhere if it is absent.
    pub audit_log: Option<PathBuf>,
    /// `allowed_hosts`: by which hosts that registry may be addressed beside the host of `url` and its own addresses, as
    /// behind a proxy that has another name.
    #[serde(default, deserialize_with = "hosts")]
    pub allowed_hosts: Vec<HostName>,
    /// `credential_lifetime`: how long a credential of that registry is good, if it is not to be what it has anyway.
    pub credential_lifetime: Option<Lifetime>,
    /// `key_lifetime`: how long a key of that registry signs, if it is not to be what it has anyway; at least as long
    /// as credentials are good.
    pub key_lifetime: Option<Lifetime>,
    /// `turn_urls`: relays for which that registry grants credentials to nodes; with `turn_secret_file`.
    #[serde(default, deserialize_with = "servers")]
    pub turn_urls: Vec<TurnUrl>,
    /// `turn_secret_file`: the file with the secret that those relays share with that registry.
    pub turn_secret_file: Option<PathBuf>,
    /// `[system.signaling.limits]`: what that registry lets happen at once.
    #[serde(default)]
    pub limits: RegistryLimits,
}

/// `[system.websocket]`: the data lane.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebSocket {
    /// `listen`, `127.0.0.1:0` if absent: where other nodes' connections are accepted. Port 0 is any free one.
    #[serde(deserialize_with = "socket_address")]
    pub listen: SocketAddr,
    /// `advertised`: what other nodes dial, if that is not the address listened on; neither port is 0 then. Present if
    /// `listen` is an address that nobody can dial, such as `0.0.0.0`. With a certificate in `[system.tls]` it is a
    /// `wss://` URL.
    pub advertised: Option<WebSocketUrl>,
    /// `allowed_hosts`: by which hosts the data lane may be addressed beside the one of `advertised` and its own addresses.
    #[serde(deserialize_with = "hosts")]
    pub allowed_hosts: Vec<HostName>,
    /// `max_record_bytes`, 4 MiB if absent: the longest record that this node sends and takes.
    #[serde(deserialize_with = "record_limit")]
    pub max_record_bytes: RecordLimit,
}

/// `[system.deployment]`: where the node lives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// `realm_id`, required: nodes see and call only those of their own realm.
    pub realm_id: u32,
    /// `realm_secret_file`: the file with what the realm asks of those who register.
    pub realm_secret_file: Option<PathBuf>,
}

/// `[system.discovery]`: who sees the node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discovery {
    /// `visible`, true if absent: the registry names the node to those who look for its type.
    pub visible: bool,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            advertised: None,
            allowed_hosts: Vec::new(),
            max_record_bytes: RecordLimit::default(),
        }
    }
}

impl Default for Discovery {
    fn default() -> Self {
        Self { visible: true }
    }
}

impl System {
    /// Checks what no key tells alone, and takes paths from `folder`, the one of the file.
    pub(crate) fn settled(mut self, document: &Document<'_>, folder: &Path) -> Result<Self, Problems<ManifestError>> {
        let mut problems: Vec<_> = self.signaling.check(&self.tls, document).err().into_iter().collect();
        problems.extend(self.websocket.check(&self.tls, document).err());
        problems.extend(self.admin.check(self.signaling.embedded, document).err());
        problems.extend(self.webrtc.check(document).err());
        problems.extend(self.take_paths_from(folder, document));
        Problems::or_value(problems, self)
    }

    /// Gives those that are no paths.
    fn take_paths_from(&mut self, folder: &Path, document: &Document<'_>) -> Vec<ManifestError> {
        let mut problems = Vec::new();
        let mut take = |path: &mut PathBuf, key: [&str; 2], what: &str| {
            if path.as_os_str().is_empty() {
                let key = ["system", key[0], key[1]];
                problems.push(document.invalid(&key, format_args!("write the path of {what}")));
            }
            *path = folder.join(&*path);
        };
        let Self {
            signaling,
            tls,
            admin,
            deployment,
            webrtc,
            ..
        } = self;
        if let Some(path) = &mut signaling.realms {
            take(
                path,
                ["signaling", "realms"],
                "a file with a line like 1 = \"secret\" for each realm",
            );
        }
        if let Some(path) = &mut signaling.data_dir {
            take(path, ["signaling", "data_dir"], "a directory for the registry's keys");
        }
        if let Some(path) = &mut signaling.audit_log {
            take(path, ["signaling", "audit_log"], "a file for the registry's audit log");
        }
        if let Some(path) = &mut signaling.turn_secret_file {
            take(
                path,
                ["signaling", "turn_secret_file"],
                "a file with the relays' secret",
            );
        }
        if let Some(path) = &mut webrtc.turn_password_file {
            take(path, ["webrtc", "turn_password_file"], "a file with a password");
        }
        if let Some(TlsIdentity { cert, key }) = &mut tls.identity {
            take(cert, ["tls", "cert"], "a PEM file");
            take(key, ["tls", "key"], "a PEM file");
        }
        if let Some(path) = &mut tls.ca {
            take(path, ["tls", "ca"], "a PEM file");
        }
        if let Some(path) = &mut admin.token_file {
            take(path, ["admin", "token_file"], "a file with a token");
        }
        if let Some(path) = &mut deployment.realm_secret_file {
            take(
                path,
                ["deployment", "realm_secret_file"],
                "a file with the realm's secret",
            );
        }
        problems
    }
}

impl Signaling {
    fn check(&self, tls: &Tls, document: &Document<'_>) -> Result<(), ManifestError> {
        let refuse_url = |problem| Err(document.invalid(&["system", "signaling", "url"], problem));
        if self.url.port() == 0 && !self.embedded {
            return refuse_url(
                "port 0 is for a registry in this process, which embedded = true makes: write the registry's port",
            );
        }
        if self.embedded && self.url.ip().is_some_and(|address| !is_dialable(address)) {
            return refuse_url(
                "nobody can dial this address: write one that others reach, and listen = \"0.0.0.0:8081\" to accept \
                 connections at all addresses of this machine",
            );
        }
        if let Some(listen) = self.listen {
            self.check_listen(listen, document)?;
        }
        if self.url.is_tls() && self.embedded && tls.identity.is_none() {
            return refuse_url(
                "a registry in this process needs a certificate for wss://: add cert and key to [system.tls] (cargo \
                 dev-certs --out certs makes them for development), or write ws://",
            );
        }
        let refuse = |key, problem| Err(document.invalid(&["system", "signaling", key], problem));
        match &self.turn_secret_file {
            Some(_) if self.turn_urls.is_empty() => {
                refuse("turn_secret_file", "add turn_urls, the relays that share it")
            }
            None if !self.turn_urls.is_empty() => refuse(
                "turn_urls",
                "add turn_secret_file, the path of a file with the static-auth-secret that these relays have",
            ),
            _ => Ok(()),
        }
    }
}

impl Signaling {
    fn check_listen(&self, listen: SocketAddr, document: &Document<'_>) -> Result<(), ManifestError> {
        let refuse = |problem: &str| Err(document.invalid(&["system", "signaling", "listen"], problem));
        if !self.embedded {
            return refuse("only a registry in this process listens: add embedded = true, or leave listen out");
        }
        if listen.port() == 0 && self.url.port() != 0 {
            return refuse(
                "nobody finds a registry on any free port by a url with another one: write the same port in both, or port \
                 0 in both",
            );
        }
        let is_same_port = [0, listen.port()].contains(&self.url.port());
        if is_same_port && self.url.ip().is_some_and(|dialled| misses(listen.ip(), dialled)) {
            return refuse("nobody who dials the host of url gets here: write an address that is reached by it");
        }
        Ok(())
    }
}

impl WebSocket {
    fn check(&self, tls: &Tls, document: &Document<'_>) -> Result<(), ManifestError> {
        let refuse = |key, problem| Err(document.invalid(&["system", "websocket", key], problem));
        match &self.advertised {
            Some(url) if url.port() == 0 => refuse(
                "advertised",
                "nobody can dial port 0: write the port that others reach this node at",
            ),
            Some(url) if tls.identity.is_some() && !url.is_tls() => refuse(
                "advertised",
                "this node has a certificate in [system.tls], so that its data lane speaks TLS: write wss://",
            ),
            Some(url) if url.ip().is_some_and(|address| !is_dialable(address)) => refuse(
                "advertised",
                "nobody can dial this address: write one that others reach",
            ),
            Some(_) if self.listen.port() == 0 => refuse(
                "advertised",
                "nobody listens at this port while [system.websocket] listen has port 0, any free one: give listen \
                 the port at which these connections arrive",
            ),
            Some(url)
                if url.port() == self.listen.port()
                    && url.ip().is_some_and(|dialled| misses(self.listen.ip(), dialled)) =>
            {
                refuse(
                    "advertised",
                    "nobody who dials this host gets to the address of [system.websocket] listen: let one of them fit the other",
                )
            }
            None if !is_dialable(self.listen.ip()) => refuse(
                "listen",
                "nobody can dial this address: add advertised = \"ws://HOST:PORT\" (wss:// with TLS) with an address that others reach",
            ),
            _ => Ok(()),
        }
    }
}

impl System {
    /// `shutdown_grace` if it is absent: of the 10 s that container runtimes usually grant, one is left for output that
    /// nobody reads, and one for a busy machine.
    pub const SHUTDOWN_GRACE: Timeout = Timeout::constant::<8>();
}

fn shutdown_grace() -> Timeout {
    System::SHUTDOWN_GRACE
}

fn record_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RecordLimit, D::Error> {
    let bytes = whole_number(deserializer, "a whole number of bytes, like 4194304 for 4 MiB")?;
    let limit = usize::try_from(bytes)
        .map_err(|_| RecordLimitError)
        .and_then(RecordLimit::new);
    limit.map_err(D::Error::custom)
}
