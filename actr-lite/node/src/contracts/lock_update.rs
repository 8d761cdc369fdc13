//! Writing the lock file from what the dependencies publish.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use actr_lite_manifest::{
    ContractFingerprint, Dependency, Lock, LockedDependency, LockedFile, Manifest, Timestamp, UpdateCommand,
    WriteLockError,
};
use actr_lite_registry_client::{LinkConfig, RegistryLink, RegistryLinkError};
use actr_lite_tls::TlsFileError;
use actr_lite_wire::{backoff::Backoff, identity::ActrType, peer_text::PeerText, proto::ServiceSpec};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{
    contracts::published_contracts::{LockChoice, PublishedContracts, choose},
    readable_duration::readable,
    settings::{
        clear_text::{self, InClearError},
        realm_secret::{self, LoadSecretError},
        registry_url::registry_url,
        tls,
    },
};

/// The wait between two tries for a dependency that is not published yet: from the first to the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Why the lock file was not updated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UpdateLockError {
    /// There is nothing to lock.
    #[error("{0} has no [dependencies]: there is no contract to lock")]
    NoDependencies(String),
    /// A file of `[system.tls]` can't be used.
    #[error(transparent)]
    Tls(#[from] TlsFileError),
    /// The registry could not be reached in time.
    #[error("no contract could be fetched within {}: {cause}", readable(*.after))]
    Registry {
        /// How long it was tried.
        after: Duration,
        /// What the last try said.
        cause: PeerText,
    },
    /// No server publishes the contract.
    #[error(
        "no server of type {actr_type} published its contract at {registry} within {}: start one, then try again ({cause})",
        readable(*.after)
    )]
    NotPublished {
        /// What was looked for.
        actr_type: ActrType,
        /// Where.
        registry: String,
        /// How long.
        after: Duration,
        /// What the registry said last.
        cause: PeerText,
    },
    /// Servers of one type publish different contracts.
    #[error(
        "the servers of type {actr_type} at {registry} publish {contracts}; say which one is right, with \
         `{command} --contract FINGERPRINT`, or stop the servers that have another one"
    )]
    SeveralContracts {
        /// Whose.
        actr_type: ActrType,
        /// Where.
        registry: String,
        /// Which ones, and by whom.
        contracts: PublishedContracts,
        /// What updates the lock file.
        command: String,
    },
    /// Nobody publishes the contract that was asked for.
    #[error("no server of a dependency publishes the contract {contract}: start one, or leave out --contract")]
    NoSuchContract {
        /// Its fingerprint.
        contract: ContractFingerprint,
    },
    /// What a server publishes is not a contract.
    #[error("the contract that {actr_type} publishes is not valid: {cause}")]
    Malformed {
        /// Whose.
        actr_type: ActrType,
        /// What is wrong.
        cause: PeerText,
    },
    /// The realm's secret can't be loaded.
    #[error(transparent)]
    RealmSecret(#[from] LoadSecretError),
    /// Its credential would be sent without TLS.
    #[error(transparent)]
    InClear(#[from] InClearError),
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteLockError),
}

/// `wanted` is the contract to take where servers of a type publish several.
pub(crate) async fn update_lock(
    manifest: &Manifest,
    actr_toml: &Path,
    wanted: Option<ContractFingerprint>,
    command: &UpdateCommand,
    timeout: Duration,
) -> Result<PathBuf, UpdateLockError> {
    if manifest.dependencies.is_empty() {
        return Err(UpdateLockError::NoDependencies(actr_toml.display().to_string()));
    }
    let deadline = Instant::now() + timeout;
    let tasks = TaskTracker::new();
    let stop = CancellationToken::new();
    let _stop_when_dropped = stop.clone().drop_guard();
    let url = registry_url(&manifest.system.signaling.url).map_err(|error| UpdateLockError::Registry {
        after: timeout,
        cause: PeerText::of(&error),
    })?;
    let mut config = LinkConfig::new(
        url,
        manifest.package.actr_type.clone(),
        manifest.system.deployment.realm_id,
    );
    config.tls = tls::load_client(&manifest.system.tls)?;
    config.realm_secret = realm_secret::load(&manifest.system)?;
    config.clear_text = clear_text::of(&manifest.system)?;
    let link = RegistryLink::spawn(config, &tasks, stop.clone());
    let connected = timeout_at(deadline, link.connected()).await;
    if !matches!(connected, Ok(Ok(_))) {
        let cause = PeerText::new(&link.standing());
        return Err(UpdateLockError::Registry { after: timeout, cause });
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = Timestamp::from_unix_seconds(now);
    let mut lock = Lock::new(now.clone());
    let query = Query {
        link: &link,
        wanted: wanted.map(|contract| contract.to_string()),
        command,
        deadline,
        timeout,
    };
    let mut is_unused = wanted;
    for (alias, Dependency { actr_type }) in &manifest.dependencies {
        let spec = query.published(actr_type).await?;
        let dependency = locked(alias, actr_type, spec, now.clone())?;
        is_unused.take_if(|wanted| *wanted == dependency.fingerprint);
        lock = lock.with_dependency(dependency);
    }
    if let Some(contract) = is_unused {
        return Err(UpdateLockError::NoSuchContract { contract });
    }
    let path = Lock::path_beside(actr_toml);
    lock.write(&path)?;
    // The lock is written whether the registry hears of the leave or not.
    let _ = link.unregister("the lock file is updated").await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(path)
}

/// What is asked about each dependency.
struct Query<'a> {
    link: &'a RegistryLink,
    /// The fingerprint to choose where there are several.
    wanted: Option<String>,
    command: &'a UpdateCommand,
    deadline: Instant,
    timeout: Duration,
}

impl Query<'_> {
    /// The contract of a type, as soon as a server publishes it.
    async fn published(&self, actr_type: &ActrType) -> Result<ServiceSpec, UpdateLockError> {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        let mut told = false;
        let registry = self.link.url().to_string();
        loop {
            let cause = match timeout_at(self.deadline, self.ask(actr_type)).await {
                Ok(Ok(Answer::Spec(spec))) => return Ok(*spec),
                Ok(Ok(Answer::Unclear(contracts))) => {
                    return Err(UpdateLockError::SeveralContracts {
                        actr_type: actr_type.clone(),
                        registry,
                        contracts,
                        command: self.command.to_string(),
                    });
                }
                Ok(Err(RegistryLinkError::Refused { message, .. })) => message,
                Ok(Err(error)) => PeerText::of(&error),
                Err(_) => "no answer".into(),
            };
            if !std::mem::replace(&mut told, true) {
                info!(server_type = %actr_type, %registry, "waiting for a server of type {actr_type} to publish its contract at {registry}");
            }
            let wait = backoff.next_wait(rand::random());
            if Instant::now() + wait >= self.deadline {
                return Err(UpdateLockError::NotPublished {
                    actr_type: actr_type.clone(),
                    registry,
                    after: self.timeout,
                    cause,
                });
            }
            sleep(wait).await;
        }
    }

    async fn ask(&self, actr_type: &ActrType) -> Result<Answer, RegistryLinkError> {
        let wanted = self.wanted.as_deref();
        let candidates = self
            .link
            .candidates(actr_type, usize::MAX, wanted.unwrap_or_default())
            .await?;
        let fingerprint = match choose(&candidates, wanted) {
            LockChoice::Unclear(contracts) => return Ok(Answer::Unclear(contracts)),
            LockChoice::One(fingerprint) => Some(fingerprint),
            LockChoice::OfType => None,
        };
        let spec = self
            .link
            .service_spec(&actr_type.to_string(), fingerprint.as_deref())
            .await?;
        Ok(Answer::Spec(Box::new(spec)))
    }
}

/// What the registry says about a type.
enum Answer {
    Spec(Box<ServiceSpec>),
    Unclear(PublishedContracts),
}

fn locked(
    alias: &str,
    actr_type: &ActrType,
    spec: ServiceSpec,
    now: Timestamp,
) -> Result<LockedDependency, UpdateLockError> {
    let malformed = |cause: PeerText| UpdateLockError::Malformed {
        actr_type: actr_type.clone(),
        cause,
    };
    let fingerprint: ContractFingerprint = spec
        .fingerprint
        .parse()
        .map_err(|_| malformed(no_fingerprint(&spec.fingerprint)))?;
    let files = spec
        .protobufs
        .iter()
        .map(|proto| {
            let fingerprint = proto
                .fingerprint
                .parse()
                .map_err(|_| malformed(no_fingerprint(&proto.fingerprint)))?;
            Ok(LockedFile {
                path: format!("{}.proto", proto.package),
                fingerprint,
            })
        })
        .collect::<Result<Vec<_>, UpdateLockError>>()?;
    Ok(LockedDependency {
        name: alias.into(),
        actr_type: actr_type.clone(),
        fingerprint,
        description: spec.description,
        published_at: spec.published_at,
        tags: spec.tags,
        cached_at: now,
        files,
    })
}

fn no_fingerprint(text: &str) -> PeerText {
    PeerText::of(&format_args!("`{}` is no fingerprint", PeerText::new(text)))
}
