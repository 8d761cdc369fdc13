//! The command line.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use actr_lite_admin::token::Token;
use actr_lite_net::exposure::Remedies;
use actr_lite_registry::{
    Options, Realms,
    directory::{MAX_NODES, MAX_STORED_BYTES},
    options::{
        CREDENTIAL_LIFETIME, HEADER_TIMEOUT, KEY_LIFETIME, MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_IN_FLIGHT_BYTES,
    },
    turn_relays::{MAX_TURN_URLS, TurnRelays, TurnSecret},
};
use actr_lite_terminal::LogFormat;
use actr_lite_tls::{PemFile, ServerTls};
use actr_lite_wire::{host_policy::HostName, ice_server::TurnUrl};
use anyhow::{Context as _, bail};
use clap::{
    Args, Parser,
    builder::{PossibleValuesParser, TypedValueParser as _},
};

/// Gives nodes their identity, and tells them where other nodes are.
#[derive(Parser)]
#[command(
    version,
    name = "actr-lite-registry",
    after_help = "RUST_LOG sets what is logged, such as debug; the default is info"
)]
pub(crate) struct Arguments {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    pub(crate) listen: String,

    #[command(flatten)]
    pub(crate) tls: TlsFiles,

    #[command(flatten)]
    pub(crate) trust: Trust,

    /// Serve other machines without TLS and realm secrets, and tell nodes addresses that are dialled without TLS
    #[arg(long)]
    pub(crate) insecure: bool,

    /// Only check the arguments and the files that they name, say everything that is wrong, and exit
    #[arg(long)]
    pub(crate) check: bool,

    /// What the log looks like: lines for people, or a JSON object in each line
    #[arg(long, value_name = "FORMAT", default_value = LogFormat::NAMES[0], value_parser = PossibleValuesParser::new(LogFormat::NAMES).try_map(|name| name.parse::<LogFormat>()))]
    pub(crate) log_format: LogFormat,

    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// Who may register, and what proves it afterwards
#[derive(Args)]
pub(crate) struct Trust {
    /// The realms that there are, their secrets, and which types these may register: a TOML file of lines like
    /// 1 = "secret". Without it all realms are open to everybody
    #[arg(long, value_name = "FILE")]
    realms: Option<PathBuf>,

    /// Where the signing keys are kept, so that nodes trust each other as before when the registry was restarted; made
    /// if it is not there
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,

    /// Where registrations, refusals, types that change hands and new signing keys are noted, one JSON object a line; made
    /// if it is not there
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,

    /// A host by which others may address the registry, beside its own addresses, localhost, the host of --listen and
    /// those of its certificate; to be given again for each more
    #[arg(long = "allowed-host", value_name = "HOST")]
    allowed_hosts: Vec<HostName>,

    /// A file with the token that requests have to show for the status and the metrics; there must be one if other
    /// machines reach the registry. openssl rand -hex 32 makes one
    #[arg(long, value_name = "FILE")]
    admin_token_file: Option<PathBuf>,

    /// How long a node's credential is valid, in seconds; nodes renew it before
    #[arg(long, value_name = "SECONDS", default_value_t = CREDENTIAL_LIFETIME.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    credential_lifetime: u64,

    /// How long a key signs credentials before it is rotated, in seconds; at least the credential lifetime
    #[arg(long, value_name = "SECONDS", default_value_t = KEY_LIFETIME.as_secs(), value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    key_lifetime: u64,

    /// A relay for nodes behind NAT, such as turn:turn.example.org:3478, for which nodes get credentials; to be given again
    /// for each more
    #[arg(long = "turn-url", value_name = "URL", requires = "turn_secret_file")]
    turn_urls: Vec<TurnUrl>,

    /// The file with the secret that the relays share with the registry: coturn's static-auth-secret, with use-auth-secret
    #[arg(long, value_name = "FILE", requires = "turn_urls")]
    turn_secret_file: Option<PathBuf>,
}

/// With them it accepts only TLS; SIGHUP reloads them
#[derive(Args)]
pub(crate) struct TlsFiles {
    /// The certificate, a PEM file; with those that lead to its CA behind it if there are any
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// What to do if other machines could reach the registry as it is.
pub(crate) const REMEDIES: Remedies = Remedies {
    tls: "give it a certificate (--tls-cert, --tls-key)",
    secret: "give it the realms and their secrets (--realms)",
    insecure: "add --insecure",
};

/// The same for the status that it tells.
pub(crate) const ADMIN_REMEDIES: Remedies = Remedies {
    tls: REMEDIES.tls,
    secret: "give it a token (--admin-token-file)",
    insecure: REMEDIES.insecure,
};

impl TlsFiles {
    pub(crate) fn is_set(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// The certificate, as errors call it.
    pub(crate) fn cert_path(&self) -> String {
        self.tls_cert.as_deref().unwrap_or(Path::new("")).display().to_string()
    }

    pub(crate) fn load(&self) -> Result<Option<ServerTls>, Vec<anyhow::Error>> {
        let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let (cert, key) = (PemFile::new("--tls-cert", cert), PemFile::new("--tls-key", key));
        ServerTls::load(cert, key.clone()).map(Some).map_err(|error| {
            let said = error.to_string();
            // What is wrong with the certificate may have been found first.
            let other = ServerTls::check_key(&key)
                .err()
                .filter(|other| other.to_string() != said);
            [error].into_iter().chain(other).map(Into::into).collect()
        })
    }
}

/// What may happen at once; reaching a limit is an error that names it
#[derive(Args)]
pub(crate) struct Limits {
    /// The most signaling connections, one for each node
    #[arg(long, value_name = "COUNT", default_value_t = count(MAX_CONNECTIONS))]
    max_connections: NonZeroU32,

    /// The most of them from one address; all but a sixteenth, if it is not set
    #[arg(long, value_name = "COUNT")]
    max_connections_per_address: Option<NonZeroU32>,

    /// The most of them in one realm; all but a sixteenth, if it is not set
    #[arg(long, value_name = "COUNT")]
    max_connections_per_realm: Option<NonZeroU32>,

    /// The most registered nodes
    #[arg(long, value_name = "COUNT", default_value_t = count(MAX_NODES))]
    max_nodes: NonZeroU32,

    /// The most of them that were registered from one address; all but a sixteenth, if it is not set
    #[arg(long, value_name = "COUNT")]
    max_nodes_per_address: Option<NonZeroU32>,

    /// The most of them in one realm; all but a sixteenth, if it is not set
    #[arg(long, value_name = "COUNT")]
    max_nodes_per_realm: Option<NonZeroU32>,

    /// The most bytes of memory for all nodes, with their contracts, access lists and addresses
    #[arg(long, value_name = "BYTES", default_value_t = count(MAX_STORED_BYTES))]
    max_stored_bytes: NonZeroU32,

    /// The most of them for nodes that were registered from one address; all but a sixteenth, if it is not set
    #[arg(long, value_name = "BYTES")]
    max_stored_bytes_per_address: Option<NonZeroU32>,

    /// The most of them for one realm's nodes; all but a sixteenth, if it is not set
    #[arg(long, value_name = "BYTES")]
    max_stored_bytes_per_realm: Option<NonZeroU32>,

    /// The most bytes of memory for requests, answers and messages that are under way
    #[arg(long, value_name = "BYTES", default_value_t = count(MAX_IN_FLIGHT_BYTES))]
    max_in_flight_bytes: NonZeroU32,

    /// The most bytes of one registration
    #[arg(long, value_name = "BYTES", default_value_t = count(MAX_BODY_BYTES))]
    max_body_bytes: NonZeroU32,

    /// How long a request's head may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = HEADER_TIMEOUT.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    header_timeout: u64,
}

/// A default, which is none of the numbers that are out of range.
fn count(default: usize) -> NonZeroU32 {
    u32::try_from(default)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MAX)
}

impl Trust {
    pub(crate) fn realms(&self) -> anyhow::Result<Realms> {
        match &self.realms {
            Some(path) => Realms::from_file(path).context("--realms"),
            None => Ok(Realms::Open),
        }
    }

    pub(crate) fn admin_token(&self) -> anyhow::Result<Option<Token>> {
        let path = self.admin_token_file.as_deref();
        let token = path.map(|path| Token::load("--admin-token-file", path));
        Ok(token.transpose()?)
    }

    pub(crate) fn turn_relays(&self) -> anyhow::Result<Option<TurnRelays>> {
        let Some(path) = &self.turn_secret_file else {
            return Ok(None);
        };
        if self.turn_urls.len() > MAX_TURN_URLS {
            bail!("--turn-url may be given {MAX_TURN_URLS} times at most");
        }
        let secret = TurnSecret::load("--turn-secret-file", path)?;
        let urls = self.turn_urls.clone();
        Ok(Some(TurnRelays { urls, secret }))
    }

    pub(crate) fn check_lifetimes(&self) -> anyhow::Result<()> {
        if self.key_lifetime < self.credential_lifetime {
            bail!(
                "--key-lifetime is {} s, but credentials are valid for {} s: a key has to sign at least as long",
                self.key_lifetime,
                self.credential_lifetime
            );
        }
        Ok(())
    }

    /// What the arguments say alone, without the realms.
    pub(crate) fn options(&self, limits: &Limits) -> Options {
        let number = |number: NonZeroU32| usize::try_from(number.get()).unwrap_or(usize::MAX);
        Options {
            credential_lifetime: Duration::from_secs(self.credential_lifetime),
            key_lifetime: Duration::from_secs(self.key_lifetime),
            data_dir: self.data_dir.clone(),
            audit_log: self.audit_log.clone(),
            allowed_hosts: self.allowed_hosts.clone(),
            max_connections: number(limits.max_connections),
            max_connections_per_address: limits.max_connections_per_address.map(number),
            max_connections_per_realm: limits.max_connections_per_realm.map(number),
            max_nodes: number(limits.max_nodes),
            max_nodes_per_address: limits.max_nodes_per_address.map(number),
            max_nodes_per_realm: limits.max_nodes_per_realm.map(number),
            max_stored_bytes: number(limits.max_stored_bytes),
            max_stored_bytes_per_address: limits.max_stored_bytes_per_address.map(number),
            max_stored_bytes_per_realm: limits.max_stored_bytes_per_realm.map(number),
            max_in_flight_bytes: number(limits.max_in_flight_bytes),
            max_body_bytes: number(limits.max_body_bytes),
            header_timeout: Duration::from_secs(limits.header_timeout),
            ..Options::default()
        }
    }
}
