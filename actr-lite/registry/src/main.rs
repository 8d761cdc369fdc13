//! Runs a registry alone, until SIGINT or SIGTERM.

use std::{num::NonZeroU32, path::PathBuf, process::ExitCode, time::Duration};

use actr_lite_registry::{
    Options, Realms, Registry,
    directory::{MAX_NODES, MAX_STORED_BYTES},
    exposure::Remedies,
    options::{CREDENTIAL_LIFETIME, HEADER_TIMEOUT, KEY_LIFETIME, MAX_BODY_BYTES, MAX_CONNECTIONS},
};
use actr_lite_signals::Signals;
use actr_lite_terminal::{Verbosity, report, start_logging};
use actr_lite_tls::{PemFile, ServerTls};
use anyhow::{Context as _, bail};
use clap::{Args, Parser};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Gives nodes their identity, and tells them where other nodes are.
#[derive(Parser)]
#[command(
    version,
    after_help = "RUST_LOG says what is logged, such as debug; it is info without"
)]
struct Arguments {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    listen: String,

    #[command(flatten)]
    tls: TlsFiles,

    #[command(flatten)]
    trust: Trust,

    /// Serve other machines also without TLS, and without realm secrets
    #[arg(long)]
    insecure: bool,

    #[command(flatten)]
    limits: Limits,
}

/// Who is let in, and what proves it afterwards
#[derive(Args)]
struct Trust {
    /// The realms that there are, and their secrets: a TOML file of lines like 1 = "secret". Without it all realms are
    /// open to everybody
    #[arg(long, value_name = "FILE")]
    realms: Option<PathBuf>,

    /// Where the signing keys are kept, so that nodes trust each other as before when the registry was restarted; made
    /// if it is not there
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<PathBuf>,

    /// How long a node's credential is good, in seconds; it is renewed before
    #[arg(long, value_name = "SECONDS", default_value_t = CREDENTIAL_LIFETIME.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    credential_lifetime: u64,

    /// How long a key signs credentials before another takes its place, in seconds; at least as long as they are good
    #[arg(long, value_name = "SECONDS", default_value_t = KEY_LIFETIME.as_secs(), value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    key_lifetime: u64,
}

/// With them it speaks TLS, and nothing else; SIGHUP reads them anew
#[derive(Args)]
struct TlsFiles {
    /// The certificate, a PEM file; with those that lead to its CA behind it if there are any
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key, a PEM file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

/// What to do where the registry would be reached from other machines as it is.
const REMEDIES: Remedies = Remedies {
    tls: "give it a certificate (--tls-cert, --tls-key)",
    secret: "give it the realms and their secrets (--realms)",
    insecure: "add --insecure",
};

impl TlsFiles {
    fn load(self) -> anyhow::Result<Option<ServerTls>> {
        let (Some(cert), Some(key)) = (self.tls_cert, self.tls_key) else {
            return Ok(None);
        };
        let (cert, key) = (PemFile::new("--tls-cert", cert), PemFile::new("--tls-key", key));
        Ok(Some(ServerTls::load(cert, key)?))
    }
}

/// What may happen at once; reaching one is an error that names it
#[derive(Args)]
struct Limits {
    /// The most connections, of registration and signaling together
    #[arg(long, value_name = "COUNT", default_value_t = count(MAX_CONNECTIONS))]
    max_connections: NonZeroU32,

    /// The most registered nodes
    #[arg(long, value_name = "COUNT", default_value_t = count(MAX_NODES))]
    max_nodes: NonZeroU32,

    /// The most bytes of all nodes' contracts, access lists and addresses together
    #[arg(long, value_name = "BYTES", default_value_t = count(MAX_STORED_BYTES))]
    max_stored_bytes: NonZeroU32,

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
    fn options(self, limits: &Limits) -> anyhow::Result<Options> {
        let number = |number: NonZeroU32| usize::try_from(number.get()).unwrap_or(usize::MAX);
        if self.key_lifetime < self.credential_lifetime {
            bail!(
                "--key-lifetime is {} s, but credentials are good for {} s: a key signs for at least as long",
                self.key_lifetime,
                self.credential_lifetime
            );
        }
        Ok(Options {
            credential_lifetime: Duration::from_secs(self.credential_lifetime),
            key_lifetime: Duration::from_secs(self.key_lifetime),
            data_dir: self.data_dir,
            realms: match self.realms {
                Some(path) => Realms::from_file(&path).context("--realms")?,
                None => Realms::Open,
            },
            max_connections: number(limits.max_connections),
            max_nodes: number(limits.max_nodes),
            max_stored_bytes: number(limits.max_stored_bytes),
            max_body_bytes: number(limits.max_body_bytes),
            header_timeout: Duration::from_secs(limits.header_timeout),
            ..Options::default()
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Dropped last: what was logged and reported until then is written, as far as somebody reads it.
    let _logging = start_logging(Verbosity::default());
    let result = match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let result = runtime.block_on(run(arguments));
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(anyhow::Error::new(error).context("the asynchronous runtime cannot be started")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("can't handle SIGINT, SIGTERM and SIGHUP")?;
    let tls = arguments.tls.load()?;
    let mut registry = Registry::bind(&arguments.listen, arguments.trust.options(&arguments.limits)?).await?;
    if let Some(tls) = &tls {
        registry = registry.with_tls(tls.clone());
    }
    registry.check_exposure(REMEDIES, arguments.insecure)?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    info!(
        "registry listening on {scheme}://{}/signaling/ws",
        registry.local_addr()
    );

    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(registry.run(shutdown.clone()));
    tokio::select! {
        () = serving.as_mut() => return Ok(()),
        name = signals.next_with(|| reload(tls.as_ref())) => info!("{name}: stopping"),
    }
    shutdown.cancel();
    tokio::select! {
        () = serving => Ok(()),
        name = signals.next() => anyhow::bail!("{name} again: stopped at once"),
    }
}

fn reload(tls: Option<&ServerTls>) {
    match tls.map(ServerTls::reload) {
        Some(Ok(())) => info!("SIGHUP: certificate and key are read anew"),
        Some(Err(error)) => {
            warn!("SIGHUP: certificate and key stay as they were, because the new ones are no good: {error}");
        }
        None => info!("SIGHUP: there is nothing to read anew, without --tls-cert"),
    }
}
