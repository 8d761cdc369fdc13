use std::{fmt, str::FromStr};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::expecting::parsed;

const DIGEST_LEN: usize = SHA256_OUTPUT_LEN;

/// What a service's contract says, in 32 bytes: the same for two sets of proto files that differ in comments and
/// layout only. Its text is `service_semantic:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContractFingerprint([u8; DIGEST_LEN]);

impl ContractFingerprint {
    const PREFIX: &str = "service_semantic:";

    /// The fingerprint of a contract, from each of its proto files' name (without directory) and fingerprint (64
    /// lowercase hex digits). The order of the files makes no difference.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut lines: Vec<String> = files
            .into_iter()
            .map(|(name, fingerprint)| format!("{name}:{fingerprint}"))
            .collect();
        lines.sort_unstable();
        let mut fingerprint = [0; DIGEST_LEN];
        fingerprint.copy_from_slice(digest(&SHA256, lines.join("\n").as_bytes()).as_ref());
        Self(fingerprint)
    }
}

impl FromStr for ContractFingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digest = text.strip_prefix(Self::PREFIX).and_then(parse_digest);
        digest.map(Self).ok_or(ParseFingerprintError::Contract)
    }
}

impl<'de> Deserialize<'de> for ContractFingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl Serialize for ContractFingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for ContractFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ContractFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What one proto file says, in 32 bytes. Reads `semantic:` and 64 hex digits, and the digits alone; writes the first,
/// as actr's lock files do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileFingerprint([u8; DIGEST_LEN]);

impl FileFingerprint {
    const PREFIX: &str = "semantic:";

    /// The 64 lowercase hex digits alone, as [`ContractFingerprint::of`] takes them.
    pub fn digits(&self) -> String {
        HEXLOWER.encode(&self.0)
    }
}

impl FromStr for FileFingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_digest(text.strip_prefix(Self::PREFIX).unwrap_or(text))
            .map(Self)
            .ok_or(ParseFingerprintError::File)
    }
}

impl<'de> Deserialize<'de> for FileFingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

impl Serialize for FileFingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for FileFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.digits())
    }
}

impl fmt::Debug for FileFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseFingerprintError {
    /// Not a contract's.
    #[error("a contract's fingerprint is service_semantic: and 64 hex digits")]
    Contract,
    /// Not a file's.
    #[error("a file's fingerprint is semantic: and 64 hex digits")]
    File,
}

fn parse_digest(digits: &str) -> Option<[u8; DIGEST_LEN]> {
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILE: &str = "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355";
    const CONTRACT: &str = "service_semantic:8cd6382d374752af9f3ad1488cb4d465dd0fc1a8e22b69eee6e5a75d793d0708";

    #[test]
    fn the_stream_servers_contract_has_the_originals_fingerprint() {
        let fingerprint = ContractFingerprint::of([("stream_server.proto", FILE)]);
        assert_eq!(fingerprint.to_string(), CONTRACT);
        assert_eq!(CONTRACT.parse::<ContractFingerprint>().unwrap(), fingerprint);
    }

    #[test]
    fn file_names_count_but_not_their_order() {
        let one = ContractFingerprint::of([("a.proto", FILE), ("b.proto", CONTRACT)]);
        assert_eq!(one, ContractFingerprint::of([("b.proto", CONTRACT), ("a.proto", FILE)]));
        assert_ne!(one, ContractFingerprint::of([("b.proto", FILE), ("a.proto", CONTRACT)]));
    }

    #[test]
    fn a_files_fingerprint_is_read_with_and_without_its_prefix() {
        let fingerprint: FileFingerprint = FILE.parse().unwrap();
        assert_eq!(fingerprint.digits(), FILE);
        assert_eq!(fingerprint.to_string(), format!("semantic:{FILE}"));
        assert_eq!(fingerprint.to_string().parse::<FileFingerprint>().unwrap(), fingerprint);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            FILE,
            "service_semantic:",
            "service_semantic:ab",
            &CONTRACT[..80],
            &format!("{CONTRACT}0"),
        ] {
            assert_eq!(
                text.parse::<ContractFingerprint>(),
                Err(ParseFingerprintError::Contract),
                "{text}"
            );
        }
        for text in ["", "semantic:", CONTRACT, &FILE[1..]] {
            assert_eq!(
                text.parse::<FileFingerprint>(),
                Err(ParseFingerprintError::File),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(service_semantic:)?(?s).{0,70}") {
            let _ = text.parse::<ContractFingerprint>();
            let _ = text.parse::<FileFingerprint>();
        }
    }
}
