//! Which realms a registry serves, and what proves that a node belongs to one and may register its type there.

mod file;
mod secret_digest;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use actr_lite_wire::identity::ActrType;
use thiserror::Error;
use tracing::warn;

pub use file::RealmsFileError;
pub use secret_digest::{SecretDigest, UNGUESSABLE_LEN};

/// The realms that a registry serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Realms {
    /// All realms exist, and a node belongs to the one that it names.
    #[default]
    Open,
    /// These realms exist, and a node belongs to one if it has one of its secrets.
    Guarded(BTreeMap<u32, RealmSecrets>),
}

/// The secrets of one realm, at least one, in the order in which they are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmSecrets(Vec<KnownSecret>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KnownSecret {
    digest: SecretDigest,
    /// What may be registered with it, and with no secret that does not name it too. None means all types that no
    /// secret of the realm names.
    types: BTreeSet<ActrType>,
}

/// Which of its realm's secrets a node has shown, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretNumber(pub(crate) usize);

impl fmt::Display for SecretNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {}", self.0)
    }
}

/// Why a node does not belong to the realm that it names, or may not be there what it says it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
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
    /// Its secret is one of the realm, but not for its type.
    #[error(
        "nodes with this secret of realm {realm_id} may not register the type {actr_type}: use a secret that may, or add the \
         type to the secret's `types` in the registry's file of realms"
    )]
    Type {
        /// The realm.
        realm_id: u32,
        /// What was to be registered.
        actr_type: ActrType,
    },
}

impl Realms {
    /// One realm with its secret, and no other.
    pub fn only(realm_id: u32, secret: &[u8]) -> Self {
        let secret = KnownSecret {
            digest: SecretDigest::of(secret),
            types: BTreeSet::new(),
        };
        Self::Guarded(BTreeMap::from([(realm_id, RealmSecrets(vec![secret]))]))
    }

    /// Reads a TOML file of lines like `1 = "secret"`. A realm may have several secrets, and a secret may name the types
    /// that may be registered with it: `1 = [{ secret = "…", types = ["acme:Name:1.0.0"] }, "…"]`.
    ///
    /// # Errors
    /// If it can't be read, is not valid, or names no realm. The error quotes nothing of it. That others can access it is
    /// only told in the log.
    pub fn from_file(path: &Path) -> Result<Self, RealmsFileError> {
        file::read(path)
    }

    /// Whether a secret of this realm is so short that it might be guessed, so that wrong ones have to be limited.
    pub(crate) fn can_be_guessed(&self, realm_id: u32) -> bool {
        match self {
            Self::Open => false,
            Self::Guarded(realms) => {
                let secrets = realms.get(&realm_id);
                secrets.is_some_and(|secrets| secrets.0.iter().any(|secret| secret.digest.is_short()))
            }
        }
    }

    /// Says in the log which realms have secrets that are too short.
    pub(crate) fn warn_of_short_secrets(&self) {
        let Self::Guarded(realms) = self else { return };
        for realm_id in realms.keys().filter(|realm_id| self.can_be_guessed(**realm_id)) {
            warn!(
                realm = realm_id,
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
        for secret in realms.values().flat_map(|secrets| &secrets.0) {
            // All of them, so that the time tells nothing.
            is_known |= secret.digest.admits(&presented) || (secret.digest.is_short() && presented.is_short());
        }
        if is_known { Ok(()) } else { Err(RealmRefusal::AllWrong) }
    }

    /// Whether this is a secret of the realm: which one, if the realm has any.
    ///
    /// # Errors
    /// When it is not.
    pub fn admit(&self, realm_id: u32, presented: Option<&[u8]>) -> Result<Option<SecretNumber>, RealmRefusal> {
        let Self::Guarded(realms) = self else {
            return Ok(None);
        };
        let secrets = realms.get(&realm_id).ok_or(RealmRefusal::Unknown(realm_id))?;
        let presented = SecretDigest::of(presented.ok_or(RealmRefusal::Missing(realm_id))?);
        // All are compared, so that the time does not tell which one it is.
        let mut admitted = None;
        for (number, secret) in (1..).zip(&secrets.0) {
            if secret.digest.admits(&presented) {
                admitted = Some(SecretNumber(number));
            }
        }
        admitted.map(Some).ok_or(RealmRefusal::Wrong(realm_id))
    }

    /// Whether a node that was admitted with this secret may register this type.
    ///
    /// # Errors
    /// When the secret names other types, or names none and another secret of the realm names this one.
    pub fn check_type(
        &self,
        realm_id: u32,
        admitted_with: Option<SecretNumber>,
        actr_type: &ActrType,
    ) -> Result<(), RealmRefusal> {
        let Self::Guarded(realms) = self else {
            return Ok(());
        };
        let secrets = realms.get(&realm_id).ok_or(RealmRefusal::Unknown(realm_id))?;
        let number = admitted_with.ok_or(RealmRefusal::Missing(realm_id))?;
        let secret = secrets.0.get(number.0 - 1).ok_or(RealmRefusal::Wrong(realm_id))?;
        let is_named = |secret: &KnownSecret| secret.types.contains(actr_type);
        let is_free = || secret.types.is_empty() && !secrets.0.iter().any(is_named);
        if is_named(secret) || is_free() {
            Ok(())
        } else {
            Err(RealmRefusal::Type {
                realm_id,
                actr_type: actr_type.clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{file::parse, *};

    const SERVER: &str = "acme:Server:1.0.0";
    const CLIENT: &str = "acme:Client:1.0.0";

    /// Whether a node with this secret may register this type.
    fn may(realms: &Realms, secret: &str, actr_type: &str) -> bool {
        let admitted_with = realms.admit(1, Some(secret.as_bytes())).unwrap();
        match realms.check_type(1, admitted_with, &actr_type.parse().unwrap()) {
            Ok(()) => true,
            Err(refusal) => {
                assert!(refusal.to_string().contains(actr_type), "{refusal}");
                false
            }
        }
    }

    #[test]
    fn a_secret_that_names_types_is_for_them_alone_and_they_for_it() {
        let realms = parse(
            "1 = [\n  { secret = 'servers', types = ['acme+Server'] },\n  { secret = 'both', types = ['acme+Server', \
             'acme:Client:1.0.0'] },\n  'others', ]",
        )
        .unwrap();
        for (secret, server, client, tool) in [
            ("servers", true, false, false),
            ("both", true, true, false),
            ("others", false, false, true),
        ] {
            let found = [SERVER, CLIENT, "acme:Tool:1.0.0"].map(|actr_type| may(&realms, secret, actr_type));
            assert_eq!(found, [server, client, tool], "{secret}");
        }
        // Another version is another type.
        assert!(!may(&realms, "servers", "acme:Server:1.0.1"));
        assert!(may(&realms, "others", "acme:Server:1.0.1"));
    }

    #[test]
    fn secrets_that_name_no_types_are_for_all_of_them() {
        let realms = parse("1 = ['old', 'new']").unwrap();
        for secret in ["old", "new"] {
            assert!(may(&realms, secret, SERVER));
        }
        assert_ne!(realms.admit(1, Some(b"old")), realms.admit(1, Some(b"new")));
        assert!(may(&Realms::only(1, b"x"), "x", SERVER));
        assert!(may(&Realms::Open, "x", SERVER));
        let tables = parse("[[1]]\nsecret = 'a'\ntypes = ['acme+Server']\n[[1]]\nsecret = 'b'").unwrap();
        assert!(may(&tables, "a", SERVER) && may(&tables, "b", CLIENT));
    }

    #[test]
    fn a_secret_opens_its_own_realm_only() {
        let realms = parse("1 = \"one\"\n# the other\n2 = 'two'\n").unwrap();
        assert_eq!(realms.admit(1, Some(b"one")), Ok(Some(SecretNumber(1))));
        assert_eq!(realms.admit(2, Some(b"two")), Ok(Some(SecretNumber(1))));
        for wrong in [&b"two"[..], b"", b"on", b"one "] {
            assert_eq!(realms.admit(1, Some(wrong)), Err(RealmRefusal::Wrong(1)));
        }
        assert_eq!(realms.admit(1, None), Err(RealmRefusal::Missing(1)));
        assert_eq!(realms.admit(3, Some(b"one")), Err(RealmRefusal::Unknown(3)));
        assert_eq!(Realms::Open.admit(3, None), Ok(None));
        assert!(Realms::only(7, b"x").admit(7, Some(b"x")).is_ok());
    }

    #[test]
    fn a_secret_is_recognized_without_its_realm() {
        let (long, other) = ("a".repeat(UNGUESSABLE_LEN), "b".repeat(UNGUESSABLE_LEN));
        let wrong = "c".repeat(UNGUESSABLE_LEN);
        let recognizes = |text: &str, secret: &str| parse(text).unwrap().recognize(Some(secret.as_bytes()));
        let strong = format!("1 = '{long}'\n2 = ['{other}']");
        for right in [&long, &other] {
            assert_eq!(recognizes(&strong, right), Ok(()));
        }
        for wrong in ["short", &wrong] {
            assert_eq!(recognizes(&strong, wrong), Err(RealmRefusal::AllWrong));
        }
        assert_eq!(parse(&strong).unwrap().recognize(None), Err(RealmRefusal::AllMissing));
        let mixed = format!("1 = '{long}'\n2 = 'secret'");
        for undecided in ["secret", "guess"] {
            assert_eq!(recognizes(&mixed, undecided), Ok(()), "a guess is not answered here");
        }
        assert!(recognizes(&mixed, &wrong).is_err());
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
            ("1 = []", 1),
            ("1 = [\n\"hunter2\",\n\"hunter2\"]", 3),
            ("1 = [\n{ secret = \"a\" },\n{ types = [\"hunter2\"] }]", 3),
            ("1 = { secret = \"a\",\nhunter2 = 1 }", 2),
            ("1 = { secret = \"a\", types = [] }", 1),
            ("1 = { secret = \"a\", types = \"acme+Server\" }", 1),
            ("1 = { secret = \"a\", types = [\"acme+Server\",\n\"hunter2\"] }", 2),
        ] {
            let (found, problem) = parse(text).unwrap_err();
            assert_eq!(found, line, "{text:?}: {problem}");
            assert!(!problem.contains("hunter2"));
        }
        let error = Realms::from_file(Path::new("/no/such/realms.toml")).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/realms.toml: "), "{error}");
    }

    #[test]
    fn neither_a_secret_nor_its_digest_is_printed() {
        let realms = Realms::only(1, b"hunter2");
        let expected = "Guarded({1: RealmSecrets([KnownSecret { digest: SecretDigest, types: {} }])})";
        assert_eq!(format!("{realms:?}"), expected);
    }
}
