//! What two nodes say to each other over the registry to agree on a session.

use std::net::SocketAddr;

use actr_lite_wire::{
    identity::ActrId,
    proto::{
        IceCandidate, IceRestartRequest, RoleAssignment, RoleNegotiation, SessionDescription, actr_relay::Payload,
        session_description::Type,
    },
};
use bytes::Bytes;
use prost::{DecodeError, Message};
use thiserror::Error;

/// The longest session description that is read: one for data channels has a kilobyte, and a hundred bytes for each
/// candidate.
pub const MAX_SDP_LEN: usize = 16 << 10;

/// The longest candidate: one with two IPv6 addresses and some extensions.
pub const MAX_CANDIDATE_LEN: usize = 512;

/// The longest id of an exchange, or name of an ICE generation.
pub const MAX_NAME_LEN: usize = 256;

/// What official nodes call their one media section.
const MID: &str = "0";

/// Something that one node tells another, or the registry tells a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Which of the two is to offer? Only for the registry.
    AskRole,
    /// The registry's answer, to both.
    Role {
        /// Whether the one who gets it is to offer.
        is_offerer: bool,
    },
    /// An offer of a new session.
    Offer(Description),
    /// The answer to an offer.
    Answer(Description),
    /// An offer that changes the session that there is.
    Reoffer(Description),
    /// An address of the sender.
    Candidate {
        /// As in SDP, from `candidate:` on.
        candidate: String,
        /// Of which ICE generation it is.
        generation: Option<String>,
    },
    /// The one that offers is to look for another path.
    AskRestart,
}

/// A session description, and which offer it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The text.
    pub sdp: String,
    /// The offer's id. Official nodes ignore offers without one.
    pub exchange: String,
}

impl Description {
    /// The number of the connection that it describes, which is the same in all its offers and answers (RFC 8866 §5.2).
    pub fn connection(&self) -> Option<&str> {
        let origin = self.sdp.lines().find_map(|line| line.strip_prefix("o="));
        origin?.split_ascii_whitespace().nth(1)
    }
}

/// What the ICE generation is called that begins with this description.
pub(crate) fn generation(sdp: &str) -> Option<&str> {
    let generation = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    generation.map(str::trim)
}

/// The address of a candidate (RFC 8839 §5.1).
fn address(candidate: &str) -> Option<SocketAddr> {
    let mut words = candidate.strip_prefix("candidate:")?.split_ascii_whitespace();
    let host = words.nth(4)?.parse().ok()?;
    Some(SocketAddr::new(host, words.next()?.parse().ok()?))
}

/// Why a payload is no signal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignalError {
    /// Not what it should be.
    #[error("it can't be decoded: {0}")]
    Malformed(#[from] DecodeError),
    /// No such kind.
    #[error("a session description of an unknown type")]
    UnknownType,
    /// A part of it is too long.
    #[error("its {part} has {len} bytes, and {limit} are the limit")]
    TooLong {
        /// Which.
        part: &'static str,
        /// How long.
        len: usize,
        /// What is taken.
        limit: usize,
    },
    /// The offer can't be told from others.
    #[error("a session description without an exchange id")]
    NoExchange,
    /// Only registries are asked that.
    #[error("a question who offers")]
    Question,
    /// The session ends when its path has been silent for too long, as if nothing had been asked.
    #[error("the other node looks for no other path")]
    NoRestart,
}

impl Signal {
    /// Where its sender may be reached, by what it says.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Self::Candidate { candidate, .. } => address(candidate).into_iter().collect(),
            Self::Offer(description) | Self::Answer(description) | Self::Reoffer(description) => {
                let lines = description.sdp.lines();
                lines.filter_map(|line| address(line.strip_prefix("a=")?)).collect()
            }
            Self::AskRole | Self::Role { .. } | Self::AskRestart => Vec::new(),
        }
    }

    /// What it is, in a few words. The rest has secrets, and is long.
    pub fn word(&self) -> &'static str {
        match self {
            Self::AskRole => "who offers?",
            Self::Role { is_offerer: true } => "you offer",
            Self::Role { is_offerer: false } => "the other one offers",
            Self::Offer(_) => "offer",
            Self::Answer(_) => "answer",
            Self::Reoffer(_) => "another offer for the same session",
            Self::Candidate { .. } => "candidate",
            Self::AskRestart => "look for another path",
        }
    }

    /// What the ICE generation is called that begins with a description. Whoever checks a path to there says so.
    pub fn generation(&self) -> Option<&str> {
        match self {
            Self::Offer(description) | Self::Answer(description) | Self::Reoffer(description) => {
                generation(&description.sdp)
            }
            Self::AskRole | Self::Role { .. } | Self::Candidate { .. } | Self::AskRestart => None,
        }
    }

    /// Reads what was relayed.
    ///
    /// # Errors
    /// When it is not a signal that a node takes.
    pub fn read(payload: Payload) -> Result<Self, SignalError> {
        match payload {
            Payload::RoleAssignment(bytes) => Ok(Self::Role {
                is_offerer: RoleAssignment::decode(bytes)?.is_offerer,
            }),
            Payload::RoleNegotiation(_) => Err(SignalError::Question),
            Payload::IceRestartRequest(_) => Ok(Self::AskRestart),
            Payload::IceRestartRejected(_) => Err(SignalError::NoRestart),
            Payload::IceCandidate(bytes) => {
                let IceCandidate {
                    candidate,
                    username_fragment: generation,
                    ..
                } = IceCandidate::decode(bytes)?;
                check("candidate", &candidate, MAX_CANDIDATE_LEN)?;
                check(
                    "username fragment",
                    generation.as_deref().unwrap_or_default(),
                    MAX_NAME_LEN,
                )?;
                Ok(Self::Candidate { candidate, generation })
            }
            Payload::SessionDescription(bytes) => {
                let described = SessionDescription::decode(bytes)?;
                let exchange = described.sdp_exchange_id.ok_or(SignalError::NoExchange)?;
                check("exchange id", &exchange, MAX_NAME_LEN)?;
                check("description", &described.sdp, MAX_SDP_LEN)?;
                let description = Description {
                    sdp: described.sdp,
                    exchange,
                };
                match Type::try_from(described.r#type) {
                    Ok(Type::Offer) => Ok(Self::Offer(description)),
                    Ok(Type::Answer) => Ok(Self::Answer(description)),
                    Ok(Type::RenegotiationOffer | Type::IceRestartOffer) => Ok(Self::Reoffer(description)),
                    Err(_) => Err(SignalError::UnknownType),
                }
            }
        }
    }

    /// What is relayed when `from` says it to `to`.
    pub fn payload(&self, from: &ActrId, to: &ActrId) -> Payload {
        let described = |kind: Type, description: &Description| {
            let description = SessionDescription {
                r#type: kind.into(),
                sdp: description.sdp.clone(),
                sdp_exchange_id: Some(description.exchange.clone()),
            };
            Payload::SessionDescription(encoded(&description))
        };
        match self {
            Self::AskRole => Payload::RoleNegotiation(encoded(&RoleNegotiation {
                from: from.into(),
                to: to.into(),
                realm_id: from.realm_id(),
            })),
            Self::Role { is_offerer } => Payload::RoleAssignment(encoded(&RoleAssignment {
                is_offerer: *is_offerer,
                remote_fixed: None,
            })),
            Self::Offer(description) => described(Type::Offer, description),
            Self::Answer(description) => described(Type::Answer, description),
            Self::Reoffer(description) => described(Type::IceRestartOffer, description),
            Self::Candidate { candidate, generation } => Payload::IceCandidate(encoded(&IceCandidate {
                candidate: candidate.clone(),
                sdp_mid: Some(MID.into()),
                sdp_mline_index: Some(0),
                username_fragment: generation.clone(),
            })),
            Self::AskRestart => Payload::IceRestartRequest(encoded(&IceRestartRequest { reason: None })),
        }
    }
}

fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn check(part: &'static str, text: &str, limit: usize) -> Result<(), SignalError> {
    let len = text.len();
    if len > limit {
        return Err(SignalError::TooLong { part, len, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(serial: &str) -> ActrId {
        format!("{serial}@7/acme:Node:1.0.0").parse().unwrap()
    }

    #[test]
    fn where_a_sender_may_be_reached_is_read() {
        let host = "candidate:1 1 udp 1 192.0.2.1 9 typ host";
        let candidate = |candidate: &str| Signal::Candidate {
            candidate: candidate.into(),
            generation: None,
        };
        assert_eq!(candidate(host).addresses(), ["192.0.2.1:9".parse().unwrap()]);
        assert_eq!(candidate("candidate:1 1 udp 1 name.local 9 typ host").addresses(), []);
        let offer = Signal::Offer(Description {
            sdp: format!("v=0\r\na={host}\r\na=candidate:2 1 udp 1 2001:db8::1 7 typ host\r\na=mid:0\r\n"),
            exchange: "1-1".into(),
        });
        let both = ["192.0.2.1:9", "[2001:db8::1]:7"].map(|address| address.parse().unwrap());
        assert_eq!(offer.addresses(), both);
    }

    #[test]
    fn what_is_said_is_what_is_read() {
        let description = || Description {
            sdp: "v=0".into(),
            exchange: "1-1".into(),
        };
        for signal in [
            Signal::Role { is_offerer: true },
            Signal::Offer(description()),
            Signal::Answer(description()),
            Signal::Reoffer(description()),
            Signal::Candidate {
                candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".into(),
                generation: Some("abcd".into()),
            },
            Signal::AskRestart,
        ] {
            assert_eq!(Signal::read(signal.payload(&id("1"), &id("2"))), Ok(signal));
        }
        let question = Signal::AskRole.payload(&id("1"), &id("2"));
        assert_eq!(Signal::read(question), Err(SignalError::Question));
        // Of later versions than 0.4.21.
        let rejected = Payload::IceRestartRejected(Bytes::from_static(&[10, 1, 49, 16, 1]));
        assert_eq!(Signal::read(rejected), Err(SignalError::NoRestart));
    }

    #[test]
    fn what_is_too_long_is_not_read() {
        let long = Signal::Offer(Description {
            sdp: "x".repeat(MAX_SDP_LEN + 1),
            exchange: "1".into(),
        });
        let refused = Signal::read(long.payload(&id("1"), &id("2"))).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "its description has 16385 bytes, and 16384 are the limit"
        );
    }
}
