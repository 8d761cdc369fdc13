//! Which realms a registry serves, and what proves that a node belongs to one.

use std::{collections::BTreeMap, fmt, io, path::Path};

use actr_lite_secret_file::{self as secret_file, Content};
use hyper::header::HeaderName;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tracing::warn;

use crate::client::RealmSecret;

/// Where a registration shows the secret of its realm (actr 0.4.21).
pub(crate) const SECRET_HEADER: HeaderName = HeaderName::from_static("x-actrix-realm-secret");

/// The most bytes of the file: a line for each of ten thousand realms.
const MAX_FILE_LEN: u64 = 1 << 20;

/// The realms that a registry serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Realms {
    /// All realms exist, and a node belongs to the one that it names.
    #[default]
    Open,
    /// These realms exist, and a node belongs to one if it has its secret.
    Guarded(BTreeMap<u32, SecretDigest>),
}

/// From how many characters on nobody guesses a secret, however often it is tried: 16 hexadecimal digits are 64 bits, and
/// ten thousand guesses a second take millions of years.
pub const UNGUESSABLE_LEN: usize = 16;

/// What is kept of a realm's secret: enough to know it when it is shown, and not enough to tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretDigest {
    digest: [u8; SHA256_OUTPUT_LEN],
    is_short: bool,
}

/// Why a node does not belong to the realm that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RealmRefusal {
    /// There is no such realm here.
    #[error("this registry does not serve realm {0}: check [system.deployment] realm_id")]
    Unknown(u32),
    /// It shows no secret.
    #[error("realm {0} has a secret: set ACTR_REALM_SECRET, or [system.deployment] realm_secret_file")]
    Missing(u32),
    /// It shows no secret, and there is no realm without one.
    #[error(
        "the realms of this registry have secrets: set ACTR_REALM_SECRET, or [system.deployment] realm_secret_file"
    )]
    AllMissing,
    /// It shows one that is no realm's.
    #[error(
        "this is not the secret of any realm of this registry: check ACTR_REALM_SECRET, or [system.deployment] \
         realm_secret_file"
    )]
    AllWrong,
    /// It shows another one.
    #[error("this is not the secret of realm {0}: check ACTR_REALM_SECRET, or [system.deployment] realm_secret_file")]
    Wrong(u32),
}

/// Why a file does not say which realms there are.
#[derive(Debug, Error)]
pub enum RealmsFileError {
    /// It can't be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
    /// It is not valid. Its content is not repeated, because it may be a secret.
    #[error("{path}, line {line}: a line gives the secret of one realm, like 1 = \"secret\"; {problem}")]
    Content {
        /// The file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl SecretDigest {
    /// Of this secret.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
        Self {
            digest: bytes,
            is_short: secret.len() < UNGUESSABLE_LEN,
        }
    }

    /// In constant time: it tells neither where two secrets differ nor how long this one is.
    fn admits(&self, presented: &[u8]) -> bool {
        self.digest.ct_eq(&Self::of(presented).digest).into()
    }
}

impl fmt::Debug for SecretDigest {
    /// Without the digest: a short secret could be found from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest")
    }
}

impl Realms {
    /// One realm with its secret, and no other.
    pub fn only(realm_id: u32, secret: &[u8]) -> Self {
        Self::Guarded(BTreeMap::from([(realm_id, SecretDigest::of(secret))]))
    }

    /// Reads a TOML file of lines like `1 = "secret"`.
    ///
    /// # Errors
    /// If it can't be read, is not valid, or names no realm. The error quotes nothing of it. That others can access it is
    /// only told in the log.
    pub fn from_file(path: &Path) -> Result<Self, RealmsFileError> {
        let read = || {
            let Content { bytes, exposed } = secret_file::read(path, MAX_FILE_LEN)?;
            if let Some(exposed) = exposed {
                warn!("the realms' secrets: {exposed}");
            }
            String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
        };
        let text = read().map_err(|error| RealmsFileError::Read {
            path: path.display().to_string(),
            error,
        })?;
        Self::from_text(&text).map_err(|(line, problem)| RealmsFileError::Content {
            path: path.display().to_string(),
            line,
            problem,
        })
    }

    fn from_text(text: &str) -> Result<Self, (usize, &'static str)> {
        let line_of = |at: usize| 1 + text[..at].matches('\n').count();
        let table: BTreeMap<toml::Spanned<String>, toml::Spanned<String>> = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(span.start));
            (line, "this is none")
        })?;
        let mut entries: Vec<_> = table.into_iter().collect();
        entries.sort_by_key(|(realm, _)| realm.span().start);
        let mut realms = BTreeMap::new();
        for (realm, secret) in entries {
            let line = line_of(realm.span().start);
            let realm_id = realm.get_ref().parse();
            let realm_id: u32 = realm_id.map_err(|_| (line, "a realm is a number from 0 to 4294967295"))?;
            if RealmSecret::new(secret.get_ref()).is_err() {
                return Err((line, "a secret is printable ASCII, without spaces at its ends"));
            }
            // The same number may be written in two ways.
            let digest = SecretDigest::of(secret.get_ref().as_bytes());
            if realms.insert(realm_id, digest).is_some() {
                return Err((line, "each realm is there once"));
            }
        }
        if realms.is_empty() {
            return Err((1, "there is none"));
        }
        Ok(Self::Guarded(realms))
    }

    /// Whether this realm's secret is so short that it might be guessed, so that wrong ones have to be limited.
    pub(crate) fn can_be_guessed(&self, realm_id: u32) -> bool {
        match self {
            Self::Open => false,
            Self::Guarded(realms) => realms.get(&realm_id).is_some_and(|secret| secret.is_short),
        }
    }

    /// Says in the log which secrets are too short.
    pub(crate) fn warn_of_short_secrets(&self) {
        let Self::Guarded(realms) = self else { return };
        for realm_id in realms.keys().filter(|realm_id| self.can_be_guessed(**realm_id)) {
            warn!(
                "the secret of realm {realm_id} has less than {UNGUESSABLE_LEN} characters and might be guessed: wrong \
                 secrets are limited, which keeps right ones at the same address waiting too; make a longer one, for \
                 instance with `openssl rand -hex 16`"
            );
        }
    }

    /// Whether this may be the secret of some realm. A short one is not looked at where a realm has a short one: to say
    /// whether it is right is for [`Self::admit`], which is asked only so often.
    ///
    /// # Errors
    /// When it is none.
    pub fn recognize(&self, presented: Option<&[u8]>) -> Result<(), RealmRefusal> {
        let Self::Guarded(realms) = self else {
            return Ok(());
        };
        let presented = SecretDigest::of(presented.ok_or(RealmRefusal::AllMissing)?);
        let mut is_known = false;
        for secret in realms.values() {
            // All of them, so that the time tells nothing.
            is_known |= bool::from(secret.digest.ct_eq(&presented.digest)) || (secret.is_short && presented.is_short);
        }
        if is_known { Ok(()) } else { Err(RealmRefusal::AllWrong) }
    }

    /// Whether this is the realm's secret.
    ///
    /// # Errors
    /// When it does not.
    pub fn admit(&self, realm_id: u32, presented: Option<&[u8]>) -> Result<(), RealmRefusal> {
        let Self::Guarded(realms) = self else {
            return Ok(());
        };
        let digest = realms.get(&realm_id).ok_or(RealmRefusal::Unknown(realm_id))?;
        let presented = presented.ok_or(RealmRefusal::Missing(realm_id))?;
        if digest.admits(presented) {
            Ok(())
        } else {
            Err(RealmRefusal::Wrong(realm_id))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_its_own_realm_only() {
        let realms = Realms::from_text("1 = \"one\"\n# the other\n2 = 'two'\n").unwrap();
        assert_eq!(realms.admit(1, Some(b"one")), Ok(()));
        assert_eq!(realms.admit(2, Some(b"two")), Ok(()));
        for wrong in [&b"two"[..], b"", b"on", b"one "] {
            assert_eq!(realms.admit(1, Some(wrong)), Err(RealmRefusal::Wrong(1)));
        }
        assert_eq!(realms.admit(1, None), Err(RealmRefusal::Missing(1)));
        assert_eq!(realms.admit(3, Some(b"one")), Err(RealmRefusal::Unknown(3)));
        assert_eq!(Realms::Open.admit(3, None), Ok(()));
        assert_eq!(Realms::only(7, b"x").admit(7, Some(b"x")), Ok(()));
    }

    #[test]
    fn a_secret_is_recognized_without_its_realm() {
        let long = [0x61; UNGUESSABLE_LEN];
        let digests = |secrets: &[&[u8]]| {
            secrets
                .iter()
                .map(|secret| SecretDigest::of(secret))
                .collect::<Vec<_>>()
        };
        let guarded = |secrets: &[&[u8]]| Realms::Guarded((1..).zip(digests(secrets)).collect());
        let strong = guarded(&[&long, &[0x62; UNGUESSABLE_LEN]]);
        assert_eq!(strong.recognize(Some(&long)), Ok(()));
        for wrong in [&b"short"[..], &[0x63; UNGUESSABLE_LEN]] {
            assert_eq!(strong.recognize(Some(wrong)), Err(RealmRefusal::AllWrong));
        }
        assert_eq!(strong.recognize(None), Err(RealmRefusal::AllMissing));
        let mixed = guarded(&[&long, b"secret"]);
        for undecided in [&b"secret"[..], b"guess"] {
            assert_eq!(mixed.recognize(Some(undecided)), Ok(()), "a guess is not answered here");
        }
        assert!(mixed.recognize(Some(&[0x63; UNGUESSABLE_LEN])).is_err());
        assert_eq!(Realms::Open.recognize(None), Ok(()));
    }

    #[test]
    fn an_invalid_realms_file_is_refused_without_its_content() {
        for (text, line) in [
            ("", 1),
            ("1 = 5", 1),
            ("1 = \"a\"\n\nhunter2", 3),
            ("1 = \"a\"\n2 = hunter2", 2),
            ("1 = \"hunter2\"\n01 = \"hunter2\"", 2),
            ("[hunter2]\n1 = \"a\"", 1),
            ("hunter2 = \"a\"", 1),
            ("4294967296 = \"a\"", 1),
            ("1 = \"\"", 1),
        ] {
            let (found, problem) = Realms::from_text(text).unwrap_err();
            assert_eq!(found, line, "{text:?}: {problem}");
            assert!(!problem.contains("hunter2"));
        }
        let error = Realms::from_file(Path::new("/no/such/realms.toml")).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/realms.toml: "), "{error}");
    }

    #[test]
    fn neither_a_secret_nor_its_digest_is_printed() {
        let realms = Realms::only(1, b"hunter2");
        assert_eq!(format!("{realms:?}"), "Guarded({1: SecretDigest})");
    }
}
