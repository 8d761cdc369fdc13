//! The file that says which realms there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use actr_lite_files::secret::{self as secret_file, Content};
use actr_lite_wire::{identity::ActrType, realm_secret::RealmSecret};
use thiserror::Error;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use tracing::warn;

use super::{KnownSecret, RealmSecrets, Realms, secret_digest::SecretDigest};

/// The most bytes of the file: a line for each of ten thousand realms.
const MAX_FILE_LEN: u64 = 1 << 20;

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
    #[error(
        "{path}, line {line}: a line gives the secret of one realm, like 1 = \"secret\", or several, like 1 = [{{ secret = \
         \"secret\", types = [\"acme:Name:1.0.0\"] }}, …]; {problem}"
    )]
    Content {
        /// The file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

/// Where the problem is, as a byte of the text, and what it is.
type Problem = (usize, &'static str);

pub(super) fn read(path: &Path) -> Result<Realms, RealmsFileError> {
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
    parse(&text).map_err(|(line, problem)| RealmsFileError::Content {
        path: path.display().to_string(),
        line,
        problem,
    })
}

/// The realms, or the line of the problem, from 1.
pub(super) fn parse(text: &str) -> Result<Realms, (usize, &'static str)> {
    realms(text).map_err(|(at, problem)| {
        let before = text.get(..at).unwrap_or(text);
        (1 + before.matches('\n').count(), problem)
    })
}

fn realms(text: &str) -> Result<Realms, Problem> {
    let table = DeTable::parse(text).map_err(|error| (error.span().map_or(0, |span| span.start), "this is none"))?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(realm, _)| realm.span().start);
    let mut realms = BTreeMap::new();
    for (realm, value) in entries {
        let at = realm.span().start;
        let realm_id = realm.get_ref().parse();
        let realm_id: u32 = realm_id.map_err(|_| (at, "a realm is a number from 0 to 4294967295"))?;
        // The same number may be written in two ways.
        if realms.insert(realm_id, secrets(value)?).is_some() {
            return Err((at, "each realm is there once"));
        }
    }
    if realms.is_empty() {
        return Err((0, "there is none"));
    }
    Ok(Realms::Guarded(realms))
}

fn secrets(value: &Spanned<DeValue<'_>>) -> Result<RealmSecrets, Problem> {
    let values = value.get_ref().as_array();
    let values: Vec<_> = values.map_or_else(|| vec![value], |values| values.iter().collect());
    let mut secrets: Vec<KnownSecret> = Vec::with_capacity(values.len());
    for value in values {
        let one = secret(value)?;
        if secrets.iter().any(|other| other.digest == one.digest) {
            return Err((value.span().start, "each secret of a realm is there once"));
        }
        secrets.push(one);
    }
    if secrets.is_empty() {
        return Err((value.span().start, "a realm has at least one secret"));
    }
    Ok(RealmSecrets(secrets))
}

/// A text, or a table with `secret` and perhaps `types`.
fn secret(value: &Spanned<DeValue<'_>>) -> Result<KnownSecret, Problem> {
    let Some(table) = value.get_ref().as_table() else {
        return Ok(KnownSecret {
            digest: digest(value)?,
            types: BTreeSet::new(),
        });
    };
    let unknown = table
        .iter()
        .find(|(key, _)| !["secret", "types"].contains(&&**key.get_ref()));
    if let Some((key, _)) = unknown {
        return Err((key.span().start, "a secret's keys are `secret` and `types`"));
    }
    let digest = digest(table.get("secret").ok_or((value.span().start, "`secret` is missing"))?)?;
    let types = table.get("types").map_or(Ok(BTreeSet::new()), types)?;
    Ok(KnownSecret { digest, types })
}

fn digest(value: &Spanned<DeValue<'_>>) -> Result<SecretDigest, Problem> {
    let at = value.span().start;
    let text = value.get_ref().as_str().ok_or((at, "a secret is a text"))?;
    if RealmSecret::new(text).is_err() {
        return Err((at, "a secret is printable ASCII, without spaces at its ends"));
    }
    Ok(SecretDigest::of(text.as_bytes()))
}

fn types(value: &Spanned<DeValue<'_>>) -> Result<BTreeSet<ActrType>, Problem> {
    let problem = "`types` is a list of at least one type, like [\"acme:Name:1.0.0\"]";
    let values = value.get_ref().as_array().filter(|values| !values.is_empty());
    let values = values.ok_or((value.span().start, problem))?;
    let parsed = values.iter().map(|value| {
        let parsed = value.get_ref().as_str().and_then(|text| text.parse().ok());
        parsed.ok_or((value.span().start, problem))
    });
    parsed.collect()
}
