use std::fmt;

use actr_lite_wire::{ice_server::TurnUrl, proto};

/// The most bytes of a user name (RFC 8489 §14.3), and of a password, which the RFC does not bound.
const MAX_LEN: usize = 508;

/// The most relays that a registry may name: a node tries them all.
const MAX_URLS: usize = 8;

/// What a node shows to relays, as its registry has it. Its `Debug` does not show the password.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnCredential {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
    /// Unix time in seconds from which on it is worthless. It is renewed together with the node's own.
    pub expires_at: u64,
    /// The relays that the registry names: an official one names none.
    pub urls: Vec<TurnUrl>,
}

impl TurnCredential {
    /// What a registry has granted, if it has. A relay that can't be understood is left out: it may be of a later kind.
    pub(crate) fn granted(credential: proto::TurnCredential, urls: &[String]) -> Option<Self> {
        let proto::TurnCredential {
            username,
            password,
            expires_at,
        } = credential;
        let is_usable = |text: &str| (1..=MAX_LEN).contains(&text.len());
        if !is_usable(&username) || !is_usable(&password) {
            return None;
        }
        let urls = urls.iter().filter_map(|url| url.parse().ok());
        Some(Self {
            username,
            password,
            expires_at,
            urls: urls.take(MAX_URLS).collect(),
        })
    }
}

impl fmt::Debug for TurnCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnCredential")
            .field("username", &self.username)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(username: &str, urls: &[&str]) -> Option<TurnCredential> {
        let credential = proto::TurnCredential {
            username: username.into(),
            password: "secret".into(),
            expires_at: 9,
        };
        let urls: Vec<_> = urls.iter().map(|url| String::from(*url)).collect();
        TurnCredential::granted(credential, &urls)
    }

    #[test]
    fn a_registry_without_relays_grants_no_credential() {
        assert_eq!(granted("", &[]), None);
        assert_eq!(granted(&"u".repeat(MAX_LEN + 1), &[]), None);
    }

    #[test]
    fn what_is_no_relay_is_left_out() {
        let credential = granted("u", &["turn:a", "quic:b", "turns:c"]).unwrap();
        assert_eq!(credential.urls.len(), 2);
        assert!(!format!("{credential:?}").contains("secret"));
    }
}
