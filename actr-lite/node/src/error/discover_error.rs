use actr_lite_wire::{
    identity::{ActrId, ActrType},
    peer_text::PeerText,
};
use thiserror::Error;

/// Why no node could be found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// There is no server of this type.
    #[error(
        "no server of type {actr_type} is registered at {registry}: start one, or check the type's version; some \
         registries don't name a server whose [acl] has no rule for this node's type"
    )]
    NoServer {
        /// What was looked for.
        actr_type: ActrType,
        /// Where.
        registry: String,
    },
    /// There are servers, but none with the contract of the lock file.
    #[error(
        "the contract of {actr_type} has changed: {lock} says {locked}, but what is registered publishes {published}; \
         start a server with the contract of the lock file, or, if the change is intended, rebuild against the new \
         protos and run `{command}`"
    )]
    ContractMismatch {
        /// What was looked for.
        actr_type: ActrType,
        /// The lock file.
        lock: String,
        /// The fingerprint there.
        locked: String,
        /// What the servers publish instead.
        published: PeerText,
        /// What updates the lock file.
        command: String,
    },
    /// The lock file does not have the dependency.
    #[error("{lock} has no entry for {actr_type}, on which Actr.toml depends: run `{command}`")]
    NotLocked {
        /// What was looked for.
        actr_type: ActrType,
        /// The lock file.
        lock: String,
        /// What updates the lock file.
        command: String,
    },
    /// There are servers, but none that publishes a contract to compare.
    #[error("a server of type {actr_type} is registered, but publishes no contract: {cause}")]
    NoContract {
        /// What was looked for.
        actr_type: ActrType,
        /// Which server, or what the registry says.
        cause: PeerText,
    },
    /// The type is known, but not to this node's realm, or the registry refuses for another reason of its own.
    #[error("the registry does not name a server of type {actr_type} to this node: {cause}")]
    Refused {
        /// What was looked for.
        actr_type: ActrType,
        /// What the registry says.
        cause: PeerText,
    },
    /// The node is not registered with an address.
    #[error("{peer} is not registered at {registry} with an address to dial: it has left, or is not dialable")]
    NotListed {
        /// The node.
        peer: ActrId,
        /// Where.
        registry: String,
    },
}

impl DiscoverError {
    /// What is counted for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::NoServer { .. } | Self::NotListed { .. } => "none",
            Self::ContractMismatch { .. } | Self::NotLocked { .. } | Self::NoContract { .. } => "contract",
            Self::Refused { .. } => "refused",
        }
    }

    /// Whether waiting may help. Whatever others have registered does not mean that the right server can't start: it may
    /// be restarting, or be replaced one by one. Only this node's own lock file does not change by itself.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::NotLocked { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_lock_file_is_not_waited_for() {
        let actr_type: ActrType = "acme+Server".parse().unwrap();
        let refused = DiscoverError::Refused {
            actr_type: actr_type.clone(),
            cause: "registered in other realms only".into(),
        };
        let not_locked = DiscoverError::NotLocked {
            actr_type,
            lock: "Actr.lock.toml".into(),
            command: "client --update-lock".into(),
        };
        assert!(refused.is_transient());
        assert!(!not_locked.is_transient());
    }

    #[test]
    fn a_published_fingerprint_is_shown_as_text() {
        let error = DiscoverError::ContractMismatch {
            actr_type: "acme+Server".parse().unwrap(),
            lock: "Actr.lock.toml".into(),
            locked: "service_semantic:0".into(),
            published: "\x1b]0;title\x07\nerror: forged".into(),
            command: "client --update-lock".into(),
        };
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}
