use std::{fmt::Display, path::PathBuf, str::FromStr};

use actr_lite_wire::ice_server::{StunUrl, TurnUrl};
use serde::{Deserialize, Deserializer, de::Error};

use crate::{document::Document, error::ManifestError};

/// The most servers of a kind: a node asks them all, and waits for none.
pub const MAX_ICE_SERVERS: usize = 8;

/// `[system.webrtc]`: of use to nodes that are built with WebRTC; others read it and make no use of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebRtc {
    /// `mode`, "fallback" if absent: when WebRTC is used.
    #[serde(deserialize_with = "mode")]
    pub mode: WebRtcMode,
    /// `stun_urls`: servers that tell a node its public address.
    #[serde(deserialize_with = "servers")]
    pub stun_urls: Vec<StunUrl>,
    /// `turn_urls`: servers that relay, beside those that the registry names.
    #[serde(deserialize_with = "servers")]
    pub turn_urls: Vec<TurnUrl>,
    /// `turn_username`: who the node is to `turn_urls`, if not who its registry says; with `turn_password_file`.
    pub turn_username: Option<String>,
    /// `turn_password_file`: the file with the password of `turn_username`.
    pub turn_password_file: Option<PathBuf>,
    /// `force_relay`, false if absent: use relays only.
    pub force_relay: bool,
}

/// `[system.webrtc] mode`: when a node that is built with WebRTC uses it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WebRtcMode {
    /// `"off"`: never. Others do not reach it so either.
    Off,
    /// `"prefer"`: with each node, and WebSocket if that fails.
    Prefer,
    /// `"fallback"`: with nodes that can't be reached over WebSocket, and with those that ask for it.
    #[default]
    Fallback,
}

impl WebRtc {
    pub(crate) fn check(&self, document: &Document<'_>) -> Result<(), ManifestError> {
        let refuse = |key, problem| Err(document.invalid(&["system", "webrtc", key], problem));
        match (&self.turn_username, &self.turn_password_file) {
            (Some(_), None) => refuse(
                "turn_username",
                "add turn_password_file, the path of the file with its password",
            ),
            (None, Some(_)) => refuse("turn_password_file", "add turn_username, whose password it is"),
            (Some(name), _) if name.is_empty() => refuse("turn_username", "write who the node is to turn_urls"),
            (Some(_), _) if self.turn_urls.is_empty() => refuse(
                "turn_username",
                "add turn_urls: the relays that the registry names take the credential that it grants",
            ),
            _ => Ok(()),
        }
    }
}

/// The URLs of servers of one kind.
pub(crate) fn servers<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let urls = Vec::<String>::deserialize(deserializer)?;
    if urls.len() > MAX_ICE_SERVERS {
        return Err(D::Error::custom(format_args!("write {MAX_ICE_SERVERS} at most")));
    }
    let parse = |url: &String| {
        url.parse()
            .map_err(|error| D::Error::custom(format_args!("{url:?}: {error}")))
    };
    urls.iter().map(parse).collect()
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WebRtcMode, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "off" => Ok(WebRtcMode::Off),
        "prefer" => Ok(WebRtcMode::Prefer),
        "fallback" => Ok(WebRtcMode::Fallback),
        _ => Err(D::Error::custom(r#"a mode is "off", "prefer" or "fallback""#)),
    }
}
