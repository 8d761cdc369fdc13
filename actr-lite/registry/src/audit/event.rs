use std::{fmt::Display, net::SocketAddr};

use actr_lite_wire::{
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    peer_text::PeerText,
};
use serde::{Serialize, Serializer};

use crate::directory::Registration;

/// A node that was registered.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Registered {
    #[serde(serialize_with = "shown")]
    pub(crate) id: ActrId,
    #[serde(serialize_with = "shown", rename = "type")]
    pub(crate) actr_type: ActrType,
    #[serde(rename = "realm")]
    pub(crate) realm_id: u32,
    /// Where it came from.
    pub(crate) address: SocketAddr,
    #[serde(flatten)]
    pub(crate) description: Description,
}

/// What it said about itself.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Description {
    #[serde(serialize_with = "shown_if_any")]
    ws_address: Option<PeerText>,
    /// Of its contract.
    #[serde(serialize_with = "shown_if_any")]
    fingerprint: Option<PeerText>,
    #[serde(rename = "hidden")]
    is_hidden: bool,
}

impl From<&Registration> for Description {
    fn from(registration: &Registration) -> Self {
        Self {
            ws_address: registration.ws_address.as_deref().map(PeerText::new),
            fingerprint: registration.fingerprint().map(PeerText::new),
            is_hidden: registration.is_hidden,
        }
    }
}

/// What is noted. Texts of peers are cut.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event<'a> {
    Registered(&'a Registered),
    /// A registration takes over a type that others have registered before.
    TypeTakenOver {
        #[serde(flatten)]
        registered: &'a Registered,
        /// The realms of those others; the own one if it was another secret of it.
        held_by_realms: &'a [u32],
    },
    RegistrationRefused {
        address: SocketAddr,
        /// None if that is not known yet.
        #[serde(rename = "realm")]
        realm_id: Option<u32>,
        #[serde(serialize_with = "shown", rename = "type")]
        actr_type: PeerText,
        #[serde(serialize_with = "shown")]
        code: ErrorCode,
        #[serde(serialize_with = "shown")]
        reason: PeerText,
    },
    RenewalRefused {
        address: SocketAddr,
        #[serde(serialize_with = "shown")]
        id: PeerText,
        #[serde(serialize_with = "shown")]
        reason: PeerText,
    },
    /// By HTTP, whatever was asked.
    RequestRefused {
        address: SocketAddr,
        status: u16,
        #[serde(serialize_with = "shown")]
        reason: PeerText,
    },
    /// The keys with which credentials are signed, when the registry starts and when they change.
    SigningKeys {
        /// The one that signs.
        signs: u32,
        valid: &'a [u32],
    },
    /// What is not in the file.
    Omitted {
        lost: u64,
        repeated_refusals: u64,
    },
}

/// An event and its time.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) time: String,
    #[serde(flatten)]
    pub(super) event: &'a Event<'a>,
}

impl Line<'_> {
    /// One JSON object, and the end of the line.
    ///
    /// # Errors
    /// None that there could be: all keys are texts.
    pub(super) fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

fn shown<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn shown_if_any<S: Serializer>(value: &Option<PeerText>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(PeerText::as_str).serialize(serializer)
}
