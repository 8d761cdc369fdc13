use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use actr_lite_files::secret::{self as secret_file, Content};
use actr_lite_manifest::{self as manifest, System, WebRtcMode};
use actr_lite_wire::ice_server::{StunUrl, TurnUrl};
use thiserror::Error;
use tracing::warn;

/// The most bytes of a password's file: what a message of STUN takes is less.
const MAX_FILE_LEN: u64 = 4 << 10;

/// When a node uses WebRTC, and who helps it through NAT.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "webrtc"),
    expect(dead_code, reason = "a program without WebRTC checks it, and makes no use of it")
)]
pub(crate) struct WebRtc {
    pub(crate) mode: WebRtcMode,
    pub(crate) stun_urls: Vec<StunUrl>,
    pub(crate) turn_urls: Vec<TurnUrl>,
    /// Who the node is to `turn_urls`, if not who its registry says.
    pub(crate) account: Option<TurnAccount>,
    pub(crate) force_relay: bool,
}

/// A user of relays. Its `Debug` does not show the password.
#[cfg_attr(
    not(feature = "webrtc"),
    expect(dead_code, reason = "a program without WebRTC checks it, and makes no use of it")
)]
pub(crate) struct TurnAccount {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl fmt::Debug for TurnAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnAccount")
    }
}

/// Why the password of a relay can't be loaded. It never shows the password.
#[derive(Debug, Error)]
pub enum LoadTurnPasswordError {
    /// The file can't be read.
    #[error("[system.webrtc] turn_password_file: {}: {error}; write the password of turn_username into it", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// There is none in it.
    #[error("[system.webrtc] turn_password_file: {}: write the password of turn_username into it, in one line of UTF-8", .0.display())]
    Invalid(PathBuf),
}

/// What Actr.toml says, with the file that it names.
pub(crate) fn load(system: &System) -> Result<WebRtc, LoadTurnPasswordError> {
    let manifest::WebRtc {
        mode,
        stun_urls,
        turn_urls,
        turn_username,
        turn_password_file,
        force_relay,
    } = system.webrtc.clone();
    let account = match (turn_username, turn_password_file) {
        (Some(username), Some(path)) => Some(TurnAccount {
            username,
            password: password(&path)?,
        }),
        _ => None,
    };
    Ok(WebRtc {
        mode,
        stun_urls,
        turn_urls,
        account,
        force_relay,
    })
}

fn password(path: &Path) -> Result<String, LoadTurnPasswordError> {
    let read = secret_file::read(path, MAX_FILE_LEN);
    let Content { bytes, exposed } = read.map_err(|error| LoadTurnPasswordError::Read {
        path: path.into(),
        error,
    })?;
    if let Some(exposed) = exposed {
        warn!("[system.webrtc] turn_password_file: {exposed}");
    }
    let invalid = || LoadTurnPasswordError::Invalid(path.into());
    let text = String::from_utf8(bytes).map_err(|_| invalid())?;
    // Editors end a file with a newline, which is not part of the password.
    let password = text.trim_end_matches(['\r', '\n']);
    match password.is_empty() || password.contains('\n') {
        true => Err(invalid()),
        false => Ok(password.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_a_password_and_is_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\r\n").unwrap();
        assert_eq!(password(&path).unwrap(), "hunter2");
        for text in ["", "\n", "hunter2\nhunter3\n"] {
            std::fs::write(&path, text).unwrap();
            let error = password(&path).unwrap_err().to_string();
            assert!(error.contains("turn_username") && !error.contains("hunter"), "{error}");
        }
    }
}
