//! How peers misbehave, counted by kind.

use std::fmt;

/// What a connection was ended for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MisbehaviourKind {
    /// A connection to a port with TLS that brings none, or whose handshake fails.
    FailedHandshake,
    /// Bytes that are not an HTTP request, or only a part of one.
    UnreadableRequest,
    /// A valid HTTP request for something that does not exist here.
    RefusedRequest,
    /// An invalid request for a WebSocket connection, or one that does not prove who sends it.
    RefusedUpgrade,
    /// What a WebSocket connection brought breaks the protocol.
    ProtocolViolation,
    /// A message in another node's name.
    ForgedSource,
    /// The peer makes this side say more than it reads.
    UnreadAnswers,
}

impl MisbehaviourKind {
    /// One word for it, as a label.
    pub fn word(self) -> &'static str {
        match self {
            Self::FailedHandshake => "failed_handshake",
            Self::UnreadableRequest => "unreadable_request",
            Self::RefusedRequest => "refused_request",
            Self::RefusedUpgrade => "refused_upgrade",
            Self::ProtocolViolation => "protocol_violation",
            Self::ForgedSource => "forged_source",
            Self::UnreadAnswers => "unread_answers",
        }
    }

    /// In words, for this many of it.
    fn words(self, count: u64) -> &'static str {
        match (self, count) {
            (Self::FailedHandshake, 1) => "failed TLS handshake",
            (Self::FailedHandshake, _) => "failed TLS handshakes",
            (Self::UnreadableRequest, 1) => "unreadable request",
            (Self::UnreadableRequest, _) => "unreadable requests",
            (Self::RefusedRequest, 1) => "refused request",
            (Self::RefusedRequest, _) => "refused requests",
            (Self::RefusedUpgrade, 1) => "refused upgrade",
            (Self::RefusedUpgrade, _) => "refused upgrades",
            (Self::ProtocolViolation, 1) => "protocol violation",
            (Self::ProtocolViolation, _) => "protocol violations",
            (Self::ForgedSource, 1) => "forged source",
            (Self::ForgedSource, _) => "forged sources",
            (Self::UnreadAnswers, 1) => "peer that does not read",
            (Self::UnreadAnswers, _) => "peers that do not read",
        }
    }
}

impl fmt::Display for MisbehaviourKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words(1))
    }
}

/// How many connections have misbehaved since the start, by kind. A connection counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Misbehaviour {
    /// [`MisbehaviourKind::FailedHandshake`].
    pub failed_handshakes: u64,
    /// [`MisbehaviourKind::UnreadableRequest`].
    pub unreadable_requests: u64,
    /// [`MisbehaviourKind::RefusedRequest`].
    pub refused_requests: u64,
    /// [`MisbehaviourKind::RefusedUpgrade`].
    pub refused_upgrades: u64,
    /// [`MisbehaviourKind::ProtocolViolation`].
    pub protocol_violations: u64,
    /// [`MisbehaviourKind::ForgedSource`].
    pub forged_sources: u64,
    /// [`MisbehaviourKind::UnreadAnswers`].
    pub unread_answers: u64,
}

impl Misbehaviour {
    /// One more of this kind.
    pub fn count(&mut self, kind: MisbehaviourKind) {
        let counter = match kind {
            MisbehaviourKind::FailedHandshake => &mut self.failed_handshakes,
            MisbehaviourKind::UnreadableRequest => &mut self.unreadable_requests,
            MisbehaviourKind::RefusedRequest => &mut self.refused_requests,
            MisbehaviourKind::RefusedUpgrade => &mut self.refused_upgrades,
            MisbehaviourKind::ProtocolViolation => &mut self.protocol_violations,
            MisbehaviourKind::ForgedSource => &mut self.forged_sources,
            MisbehaviourKind::UnreadAnswers => &mut self.unread_answers,
        };
        *counter = counter.saturating_add(1);
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.by_kind()
            .iter()
            .fold(0, |total: u64, (_, count)| total.saturating_add(*count))
    }

    /// Each kind with its count.
    pub fn by_kind(&self) -> [(MisbehaviourKind, u64); 7] {
        [
            (MisbehaviourKind::FailedHandshake, self.failed_handshakes),
            (MisbehaviourKind::UnreadableRequest, self.unreadable_requests),
            (MisbehaviourKind::RefusedRequest, self.refused_requests),
            (MisbehaviourKind::RefusedUpgrade, self.refused_upgrades),
            (MisbehaviourKind::ProtocolViolation, self.protocol_violations),
            (MisbehaviourKind::ForgedSource, self.forged_sources),
            (MisbehaviourKind::UnreadAnswers, self.unread_answers),
        ]
    }
}

/// The kinds that there were: `2 refused upgrades, 1 protocol violation`.
impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (kind, count) in self.by_kind() {
            if count > 0 {
                write!(f, "{separator}{count} {}", kind.words(count))?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            f.write_str("none")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_own_counter() {
        for (kind, _) in Misbehaviour::default().by_kind() {
            let mut misbehaviour = Misbehaviour::default();
            misbehaviour.count(kind);
            misbehaviour.count(kind);
            assert_eq!(misbehaviour.total(), 2);
            assert!(misbehaviour.by_kind().contains(&(kind, 2)), "{kind}");
        }
    }

    #[test]
    fn only_what_there_was_is_told() {
        let misbehaviour = Misbehaviour {
            refused_upgrades: 2,
            protocol_violations: 1,
            ..Misbehaviour::default()
        };
        assert_eq!(misbehaviour.to_string(), "2 refused upgrades, 1 protocol violation");
        assert_eq!(Misbehaviour::default().to_string(), "none");
    }
}
