//! The token that requests from other machines show.

use std::{fmt, io, path::Path, path::PathBuf, str::FromStr};

use actr_lite_files::secret::{self as secret_file, Content};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tracing::warn;

/// A shorter one might be guessed.
const MIN_LEN: usize = 16;

/// The most bytes of a token's file: a header takes no more than a few thousand.
const MAX_FILE_LEN: u64 = 4 << 10;

/// A secret that whoever reads the status has to show (RFC 6750 §2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

/// A text is no token. It never shows the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It might be guessed.
    #[error("a token has {MIN_LEN} characters or more")]
    Short,
    /// It can't be in a header.
    #[error("a token is made of letters, digits and -._~+/=, without spaces or line breaks")]
    Character,
}

/// Why a token can't be loaded. It never shows the token.
#[derive(Debug, Error)]
pub enum LoadTokenError {
    /// The file can't be read.
    #[error("{key}: {}: {error}; write a token into it: openssl rand -hex 32", .path.display())]
    Read {
        /// What names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What is in it is no token.
    #[error("{key}: {}: {error}; openssl rand -hex 32 makes one", .path.display())]
    Invalid {
        /// What names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: TokenError,
    },
}

impl Token {
    /// Reads it from a file that `key`, an option or a key of Actr.toml, names. The log says so if others can read it too.
    ///
    /// # Errors
    /// When the file can't be read, or has no token.
    pub fn load(key: &'static str, path: &Path) -> Result<Self, LoadTokenError> {
        let Content { bytes, exposed } =
            secret_file::read(path, MAX_FILE_LEN).map_err(|error| LoadTokenError::Read {
                key,
                path: path.into(),
                error,
            })?;
        if let Some(exposed) = exposed {
            warn!("{key}: {exposed}");
        }
        // Editors end a file with a newline, which is not part of the token.
        let text = String::from_utf8_lossy(&bytes);
        text.trim_end_matches(['\r', '\n'])
            .parse()
            .map_err(|error| LoadTokenError::Invalid {
                key,
                path: path.into(),
                error,
            })
    }

    /// Whether an `Authorization` has it. How long that takes tells nothing of the token but its length.
    pub fn is_shown_by(&self, authorization: &[u8]) -> bool {
        let Some((scheme, shown)) = authorization.split_at_checked(7) else {
            return false;
        };
        let shown = shown.trim_ascii();
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(self.0.as_bytes().ct_eq(shown))
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        match text {
            text if !text.bytes().all(is_allowed) => Err(TokenError::Character),
            text if text.len() < MIN_LEN => Err(TokenError::Short),
            text => Ok(Self(text.into())),
        }
    }
}

impl fmt::Debug for Token {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn a_token_is_shown_as_a_bearer_of_it_and_no_other_way() {
        let token: Token = TOKEN.parse().unwrap();
        for shown in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef "] {
            assert!(token.is_shown_by(shown.as_bytes()), "{shown}");
        }
        for shown in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789ABCDEF",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!token.is_shown_by(shown.as_bytes()), "{shown}");
        }
    }

    #[test]
    fn a_file_holds_the_token_and_perhaps_the_end_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, format!("{TOKEN}\r\n")).unwrap();
        let token = Token::load("token_file", &path).unwrap();
        assert!(token == TOKEN.parse().unwrap() && !format!("{token:?}").contains(TOKEN));
    }

    #[test]
    fn a_file_without_a_token_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for text in ["", "hunter2", "hunter2 hunter2 hunter2", "hunter2hunter2\nhunter2"] {
            std::fs::write(&path, text).unwrap();
            let error = Token::load("token_file", &path).unwrap_err().to_string();
            assert!(
                error.contains(&path.display().to_string()) && error.contains("openssl"),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        let error = Token::load("token_file", &folder.path().join("nothing")).unwrap_err();
        assert!(error.to_string().contains("openssl rand"), "{error}");
    }
}
