use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use actr_lite_wire::record_limit::{RecordLimit, RecordLimitError};

use crate::{
    Limits, ManifestError, ParseWebSocketUrlError, RegistryLimits, SignalingUrl, Tls, WebSocketUrl,
    bounded::Lifetime,
    limits::read_patience,
    section::{Field, Section},
};

/// `[system]`: how the node reaches others and is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// `[system.signaling]`: the registry.
    pub signaling: Signaling,
    /// `[system.websocket]`: the data lane.
    pub websocket: WebSocket,
    /// `[system.tls]`: who it is, and whom it trusts, where addresses begin with `wss://`.
    pub tls: Tls,
    /// `[system.limits]`: what it lets happen at once.
    pub limits: Limits,
    /// `[system.deployment]`: where the node lives.
    pub deployment: Deployment,
    /// `[system.discovery]`: who sees it.
    pub discovery: Discovery,
    /// `[system.webrtc]`: for nodes with WebRTC.
    pub webrtc: WebRtc,
    /// `insecure`, false if absent: what this node hosts may be reached from other machines without TLS, and without a
    /// realm secret.
    pub insecure: bool,
}

/// `[system.signaling]`: the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signaling {
    /// `url`, required: where the registry is, or is to be. Port 0, any free one, only if `embedded`. One that is
    /// `embedded` at a `wss://` URL has the certificate of `[system.tls]`.
    pub url: SignalingUrl,
    /// `embedded`, false if absent: this process hosts the registry itself, at `url`.
    pub embedded: bool,
    /// `realms`: the file with the realms of that registry and their secrets. If it is absent there is the node's own
    /// realm where the node has a secret, and otherwise all there can be, open to everybody.
    pub realms: Option<PathBuf>,
    /// `data_dir`: where that registry keeps its signing keys; nowhere if it is absent.
    pub data_dir: Option<PathBuf>,
    /// `credential_lifetime`: how long a credential of that registry is good, if it is not to be what it has anyway.
    pub credential_lifetime: Option<Lifetime>,
    /// `key_lifetime`: how long a key of that registry signs, if it is not to be what it has anyway; at least as long
    /// as credentials are good.
    pub key_lifetime: Option<Lifetime>,
    /// `[system.signaling.limits]`: what that registry lets happen at once.
    pub limits: RegistryLimits,
}

/// `[system.websocket]`: the data lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocket {
    /// `listen`, `127.0.0.1:0` if absent: where other nodes' connections are accepted. Port 0 is any free one.
    pub listen: SocketAddr,
    /// `advertised`: what other nodes dial, if that is not the address listened on; its port is not 0. Present if
    /// `listen` is an unspecified address such as `0.0.0.0`, which nobody can dial. With a certificate in
    /// `[system.tls]` it is a `wss://` URL.
    pub advertised: Option<WebSocketUrl>,
    /// `max_record_bytes`, 4 MiB if absent: the longest record that this node sends and takes.
    pub max_record_bytes: RecordLimit,
}

/// `[system.deployment]`: where the node lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// `realm_id`, required: nodes see and call only those of their own realm.
    pub realm_id: u32,
    /// `realm_secret_file`: the file with what the realm asks of those who register.
    pub realm_secret_file: Option<PathBuf>,
}

/// `[system.discovery]`: who sees the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// `visible`, true if absent: the registry names the node to those who look for its type.
    pub visible: bool,
}

/// `[system.webrtc]`: read and kept for nodes that have a WebRTC lane; this runtime has none and makes no use of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebRtc {
    /// `stun_urls`: servers that tell a node its public address.
    pub stun_urls: Vec<String>,
    /// `turn_urls`: servers that relay.
    pub turn_urls: Vec<String>,
    /// `force_relay`, false if absent: use relays only.
    pub force_relay: bool,
}

impl System {
    /// Paths are relative to `folder`, the one of the file.
    pub(crate) fn read(section: &Section<'_>, folder: &Path) -> Result<Self, ManifestError> {
        let tls = Tls::read(&section.section("tls")?, folder)?;
        Ok(Self {
            signaling: Signaling::read(&section.section("signaling")?, folder, &tls)?,
            websocket: WebSocket::read(&section.section("websocket")?, &tls)?,
            tls,
            limits: Limits::read(&section.section("limits")?)?,
            deployment: Deployment::read(&section.section("deployment")?, folder)?,
            discovery: Discovery {
                visible: section.section("discovery")?.boolean_or("visible", true)?,
            },
            webrtc: WebRtc::read(&section.section("webrtc")?)?,
            insecure: section.boolean_or("insecure", false)?,
        })
    }
}

impl Signaling {
    fn read(section: &Section<'_>, folder: &Path, tls: &Tls) -> Result<Self, ManifestError> {
        let url_field = section.required("url", r#"url = "ws://127.0.0.1:8081/signaling/ws""#)?;
        let url: SignalingUrl = url_field.parse()?;
        let embedded = section.boolean_or("embedded", false)?;
        if url.port() == 0 && !embedded {
            return Err(url_field.invalid(
                "port 0 is for a registry in this process, which embedded = true makes: write the registry's port",
            ));
        }
        if url.is_tls() && embedded && tls.identity.is_none() {
            return Err(url_field.invalid(
                "a registry in this process needs a certificate for wss://: add cert and key to [system.tls] (cargo \
                 dev-certs --out certs makes them for development), or write ws://",
            ));
        }
        Ok(Self {
            url,
            embedded,
            realms: section.path(
                "realms",
                folder,
                "a file with a line like 1 = \"secret\" for each realm",
            )?,
            data_dir: section.path("data_dir", folder, "a directory for the registry's keys")?,
            credential_lifetime: lifetime(section, "credential_lifetime")?,
            key_lifetime: lifetime(section, "key_lifetime")?,
            limits: RegistryLimits::read(&section.section("limits")?)?,
        })
    }
}

impl WebSocket {
    fn read(section: &Section<'_>, tls: &Tls) -> Result<Self, ManifestError> {
        let listen_field = section.optional("listen");
        let listen = match &listen_field {
            None => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            Some(field) => field.string()?.parse().map_err(|_| {
                field.invalid("not an IP address and port: write 127.0.0.1:0 or [::1]:0, where port 0 is any free one")
            })?,
        };
        let advertised_field = section.optional("advertised");
        let advertised = match &advertised_field {
            None => None,
            Some(field) => {
                let url: WebSocketUrl = field.string()?.parse().map_err(|error: ParseWebSocketUrlError| {
                    field.invalid(format_args!("{error}: write ws://host:port, or wss:// with TLS"))
                })?;
                if url.port() == 0 {
                    return Err(field.invalid("nobody can dial port 0: write the port that others reach this node at"));
                }
                if tls.identity.is_some() && !url.is_tls() {
                    return Err(field.invalid(
                        "this node has a certificate in [system.tls], so that its data lane speaks TLS: write wss://",
                    ));
                }
                Some(url)
            }
        };
        let max_record_bytes = match section.optional("max_record_bytes") {
            None => RecordLimit::default(),
            Some(field) => {
                let out_of_range = |RecordLimitError| field.invalid(RecordLimitError);
                let bytes = field.integer::<i128>("a whole number of bytes, like 4194304 for 4 MiB")?;
                let bytes = usize::try_from(bytes).map_err(|_| out_of_range(RecordLimitError))?;
                RecordLimit::new(bytes).map_err(out_of_range)?
            }
        };
        match (&listen_field, &advertised) {
            (Some(field), None) if listen.ip().is_unspecified() => Err(field.invalid(
                "nobody can dial this address: add advertised = \"ws://HOST:PORT\" (wss:// with TLS) with an address that others reach",
            )),
            _ => Ok(Self {
                listen,
                advertised,
                max_record_bytes,
            }),
        }
    }
}

/// Whole seconds, or a text with a unit.
fn lifetime(section: &Section<'_>, key: &str) -> Result<Option<Lifetime>, ManifestError> {
    let read = |field: Field<'_>| {
        let patience = read_patience(&field)?;
        Lifetime::new(patience).ok_or_else(|| field.invalid("it is at least a second"))
    };
    section.optional(key).map(read).transpose()
}

impl Deployment {
    fn read(section: &Section<'_>, folder: &Path) -> Result<Self, ManifestError> {
        let realm_id = section.required("realm_id", "realm_id = 1")?;
        Ok(Self {
            realm_id: realm_id.integer("a whole number from 0 to 4294967295")?,
            realm_secret_file: section.path("realm_secret_file", folder, "a file with the realm's secret")?,
        })
    }
}

impl WebRtc {
    fn read(section: &Section<'_>) -> Result<Self, ManifestError> {
        Ok(Self {
            stun_urls: section.strings("stun_urls")?,
            turn_urls: section.strings("turn_urls")?,
            force_relay: section.boolean_or("force_relay", false)?,
        })
    }
}
