use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actr_lite_clock::timestamp_of;
use actr_lite_wire::{
    credential::{SigningKey, VerifyingKey},
    identity::ActrId,
    possession::HolderKey,
    proto::{TurnCredential, register_response::RegisterOk},
};
use bytes::Bytes;

use crate::{
    audit::{AuditLog, Event},
    directory::Grant,
    key_file::{KeyFile, KeyFileError},
    key_ring::{Key, KeyRing, Lifetimes},
    options::Options,
    turn_relays::TurnRelays,
};

/// What proves identities: the one place that makes secrets, with the system's randomness.
pub(crate) struct Authority {
    keys: Mutex<Keys>,
    /// Where they are kept, if they are.
    file: Option<KeyFile>,
    lifetimes: Lifetimes,
    heartbeat_interval: Duration,
    turn_relays: Option<TurnRelays>,
}

struct Keys {
    ring: KeyRing,
    /// The one of the ring that signs.
    current: Arc<SigningKey>,
}

impl Keys {
    fn new(ring: KeyRing) -> Self {
        let current = Arc::new(ring.current().signing_key());
        Self { ring, current }
    }
}

impl Authority {
    /// With the keys that are kept in the data directory, if there is one, and a new one if it is due.
    pub(crate) fn open(options: &Options, unix_now: u64) -> Result<Self, KeyFileError> {
        let credential = options.credential_lifetime.as_secs();
        let lifetimes = Lifetimes {
            key: options.key_lifetime.as_secs().max(credential).max(1),
            credential,
        };
        let file = options.data_dir.as_deref().map(KeyFile::open).transpose()?;
        let kept = file.as_ref().map_or(Ok(None), KeyFile::load)?;
        let kept = kept.map(|ring| ring.not_after(unix_now));
        let ring = match &kept {
            Some(ring) => ring.at(lifetimes, unix_now, fresh).unwrap_or_else(|| ring.clone()),
            None => {
                let (id, secret) = fresh();
                let since = unix_now;
                KeyRing::new(Key { id, secret, since })
            }
        };
        if let Some(file) = &file
            && kept.as_ref() != Some(&ring)
        {
            file.save(&ring)?;
        }
        Ok(Self {
            keys: Mutex::new(Keys::new(ring)),
            file,
            lifetimes,
            heartbeat_interval: options.heartbeat_interval,
            turn_relays: options.turn_relays.clone(),
        })
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The public halves of all valid keys.
    pub(crate) fn verifying_keys(&self) -> Vec<VerifyingKey> {
        self.keys().ring.verifying_keys().collect()
    }

    /// For how long the newest key has signed.
    pub(crate) fn newest_key_age(&self, unix_now: u64) -> Duration {
        Duration::from_secs(unix_now.saturating_sub(self.keys().ring.current().since))
    }

    /// Notes which keys there are.
    pub(crate) fn note_keys(&self, audit: &AuditLog) {
        if !audit.is_on() {
            return;
        }
        let (signs, valid) = {
            let keys = self.keys();
            let valid: Vec<u32> = keys.ring.keys().iter().map(|key| key.id).collect();
            (keys.ring.current().id, valid)
        };
        audit.note(&Event::SigningKeys { signs, valid: &valid });
    }

    /// How long until the keys have to be checked for rotation again.
    pub(crate) fn next_change(&self, unix_now: u64) -> Duration {
        Duration::from_secs(self.keys().ring.next_change(self.lifetimes, unix_now))
    }

    /// The keys as they should be, with a new one where one is due and without those that are over; `None` if they are
    /// that already. They are kept, and known to be good before they sign: that is for [`Self::use_keys`]. Waits for
    /// the disk.
    ///
    /// # Errors
    /// When they can't be kept.
    pub(crate) fn look_after_keys(&self, unix_now: u64) -> Result<Option<KeyRing>, KeyFileError> {
        let ring = self.keys().ring.at(self.lifetimes, unix_now, fresh);
        if let (Some(file), Some(ring)) = (&self.file, &ring) {
            file.save(ring)?;
        }
        Ok(ring)
    }

    /// From now on these are the keys.
    pub(crate) fn use_keys(&self, ring: KeyRing) {
        *self.keys() = Keys::new(ring);
    }

    /// A key for the renewal tokens of a new node.
    pub(crate) fn renewal_key() -> [u8; 32] {
        rand::random()
    }

    /// What is granted by a registration or a renewal; the credential names the node's key, if it has one. For the same
    /// grant it is the same.
    pub(crate) fn granted(&self, id: &ActrId, holder: Option<&HolderKey>, grant: &Grant) -> RegisterOk {
        let expires_at = grant.granted_at.saturating_add(self.lifetimes.credential);
        let signing_key = Arc::clone(&self.keys().current);
        let key = signing_key.verifying_key();
        let relays = self.turn_relays.as_ref();
        RegisterOk {
            actr_id: id.into(),
            credential: signing_key.issue(id, expires_at, holder).into(),
            turn_credential: relays.map_or_else(no_relay, |relays| relays.credential(id, expires_at)),
            credential_expires_at: Some(timestamp_of(expires_at)),
            signaling_heartbeat_interval_secs: self.heartbeat_interval_secs(),
            signing_pubkey: Bytes::copy_from_slice(&key.to_bytes()),
            signing_key_id: key.key_id(),
            renewal_token: Some(Bytes::copy_from_slice(&grant.token.secret)),
            renewal_token_expires_at: Some(timestamp_of(grant.token.expires_at)),
            withheld_address: None,
            turn_urls: relays.map(TurnRelays::told).unwrap_or_default(),
        }
    }

    /// The heartbeat interval for nodes: whole seconds, rounded up.
    pub(crate) fn heartbeat_interval_secs(&self) -> u32 {
        u32::try_from(self.heartbeat_interval.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

/// A key's number and secret. The number is random too, so that a credential of another registry, or of an earlier life
/// of this one, is seen as such.
fn fresh() -> (u32, [u8; 32]) {
    (rand::random(), rand::random())
}

/// The protocol requires the field; without relays an end in 1970 says so.
fn no_relay() -> TurnCredential {
    TurnCredential {
        username: String::new(),
        password: String::new(),
        expires_at: 0,
    }
}
