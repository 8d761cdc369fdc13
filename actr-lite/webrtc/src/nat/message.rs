//! STUN messages, as far as a client of STUN and TURN sends and reads them.

use std::net::{IpAddr, SocketAddr};

use stun_types::{
    attribute::{
        AlternateServer, AttributeType, AttributeWrite, ErrorCode, Nonce, RawAttribute, Realm, Username,
        XorMappedAddress,
    },
    message::{
        BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType,
        MessageWrite, MessageWriteVec, Method, StunWriteError, TransactionId,
    },
    prelude::*,
};

const ALLOCATE: Method = Method::new(3);
const REFRESH: Method = Method::new(4);
const DATA: Method = Method::new(7);
const CHANNEL_BIND: Method = Method::new(9);

const CHANNEL_NUMBER: AttributeType = AttributeType::new(0x000C);
const LIFETIME: AttributeType = AttributeType::new(0x000D);
const XOR_PEER_ADDRESS: AttributeType = AttributeType::new(0x0012);
const DATA_VALUE: AttributeType = AttributeType::new(0x0013);
const XOR_RELAYED_ADDRESS: AttributeType = AttributeType::new(0x0016);
const REQUESTED_ADDRESS_FAMILY: AttributeType = AttributeType::new(0x0017);
const REQUESTED_TRANSPORT: AttributeType = AttributeType::new(0x0019);

/// UDP, as the relay is told (RFC 8656 §18.8), and IPv6 (§18.6).
const OVER_UDP: [u8; 4] = [17, 0, 0, 0];
const IPV6: [u8; 4] = [2, 0, 0, 0];

/// What a server is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// At which address does the server see this one?
    Address,
    /// An address at the server, of the same family as the server's own.
    Allocate { is_ipv6: bool },
    /// The address for so many seconds more; for none, it is let go.
    Refresh { seconds: u32 },
    /// A number for a peer, which may send then.
    Channel { number: u16, peer: SocketAddr },
}

/// Who asks, once the server has said for which realm it wants to know.
#[derive(Debug)]
pub(super) struct Authentication {
    username: String,
    realm: String,
    nonce: String,
    key: IntegrityKey,
}

impl Authentication {
    pub(super) fn new(username: &str, password: &str, realm: &str, nonce: &str) -> Self {
        let credentials = LongTermKeyCredentials::new(username.into(), password.into(), realm.into());
        Self {
            username: username.into(),
            realm: realm.into(),
            nonce: nonce.into(),
            // The only one that relays in use know, coturn 4.6 among them.
            key: credentials.make_key(IntegrityAlgorithm::Sha1),
        }
    }

    pub(super) fn set_nonce(&mut self, nonce: &str) {
        self.nonce = nonce.into();
    }
}

/// A request. `None` if something in it is longer than a message takes.
pub(super) fn request(
    question: Question,
    id: TransactionId,
    authentication: Option<&Authentication>,
) -> Option<Vec<u8>> {
    let method = match question {
        Question::Address => BINDING,
        Question::Allocate { .. } => ALLOCATE,
        Question::Refresh { .. } => REFRESH,
        Question::Channel { .. } => CHANNEL_BIND,
    };
    let kind = MessageType::from_class_method(MessageClass::Request, method);
    let mut message = Message::builder(kind, id, MessageWriteVec::new());
    write(&mut message, question, id, authentication).ok()?;
    Some(message.finish())
}

fn write(
    message: &mut MessageWriteVec,
    question: Question,
    id: TransactionId,
    authentication: Option<&Authentication>,
) -> Result<(), StunWriteError> {
    match question {
        Question::Address => {}
        Question::Allocate { is_ipv6 } => {
            message.add_attribute(&RawAttribute::new(REQUESTED_TRANSPORT, &OVER_UDP))?;
            if is_ipv6 {
                message.add_attribute(&RawAttribute::new(REQUESTED_ADDRESS_FAMILY, &IPV6))?;
            }
        }
        Question::Refresh { seconds } => {
            message.add_attribute(&RawAttribute::new(LIFETIME, &seconds.to_be_bytes()))?;
        }
        Question::Channel { number, peer } => {
            let [high, low] = number.to_be_bytes();
            message.add_attribute(&RawAttribute::new(CHANNEL_NUMBER, &[high, low, 0, 0]))?;
            let peer = XorMappedAddress::new(peer, id);
            message.add_attribute(&RawAttribute::new(XOR_PEER_ADDRESS, &peer.to_raw().value))?;
        }
    }
    if let Some(authentication) = authentication {
        message.add_attribute(&Username::new(&authentication.username)?)?;
        message.add_attribute(&Realm::new(&authentication.realm)?)?;
        message.add_attribute(&Nonce::new(&authentication.nonce)?)?;
        message.add_message_integrity_with_key(&authentication.key, IntegrityAlgorithm::Sha1)?;
    }
    Ok(())
}

/// What a server has sent.
#[derive(Debug)]
pub(super) struct Received<'a> {
    message: Message<'a>,
}

/// A server's no.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) reason: String,
    /// For whom the server wants to know who asks.
    pub(super) realm: Option<String>,
    pub(super) nonce: Option<String>,
    /// Which server to ask instead.
    pub(super) alternate: Option<SocketAddr>,
}

/// The number of the request that `bytes` may answer.
pub(super) fn answered(bytes: &[u8]) -> Option<u128> {
    let [kind, ..] = bytes else { return None };
    let id = bytes.get(8..20)?;
    // The answers of STUN: two zero bits, and the upper bit of the class is set.
    (kind & 0b1100_0001 == 1).then(|| id.iter().fold(0, |id, byte| id << 8 | u128::from(*byte)))
}

impl<'a> Received<'a> {
    /// Reads a message.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let message = Message::from_bytes(bytes).ok()?;
        Some(Self { message })
    }

    /// Whether it was made by one who knows the password.
    pub(super) fn is_authentic(&self, authentication: &Authentication) -> bool {
        self.message.validate_integrity_with_key(&authentication.key).is_ok()
    }

    /// Why the server says no, if it does.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        if !self.message.has_class(MessageClass::Error) {
            return None;
        }
        let error = self.message.attribute::<ErrorCode>().ok();
        let realm = self.message.attribute::<Realm>().ok();
        let nonce = self.message.attribute::<Nonce>().ok();
        let alternate = self.message.attribute::<AlternateServer>().ok();
        Some(Refusal {
            code: error.as_ref().map_or(0, ErrorCode::code),
            reason: error.map(|error| error.reason().to_owned()).unwrap_or_default(),
            realm: realm.map(|realm| realm.realm().to_owned()),
            nonce: nonce.map(|nonce| nonce.nonce().to_owned()),
            alternate: alternate.map(|alternate| alternate.server()),
        })
    }

    /// At which address the server sees this one.
    pub(super) fn mapped(&self) -> Option<SocketAddr> {
        self.address(XorMappedAddress::TYPE)
    }

    /// Which address it has given.
    pub(super) fn relayed(&self) -> Option<SocketAddr> {
        self.address(XOR_RELAYED_ADDRESS)
    }

    /// For how many seconds.
    pub(super) fn lifetime(&self) -> Option<u32> {
        let attribute = self.message.raw_attribute(LIFETIME)?;
        let bytes: [u8; 4] = (*attribute.value).try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// What a peer has sent, if it did not go over a channel, and where that begins and ends.
    pub(super) fn data(&self) -> Option<(SocketAddr, std::ops::Range<usize>)> {
        if !self.message.has_class(MessageClass::Indication) || !self.message.has_method(DATA) {
            return None;
        }
        let peer = self.address(XOR_PEER_ADDRESS)?;
        let (offset, data) = self.message.raw_attribute_and_offset(DATA_VALUE)?;
        let start = offset + 4;
        Some((peer, start..start + data.value.len()))
    }

    fn address(&self, kind: AttributeType) -> Option<SocketAddr> {
        let attribute = self.message.raw_attribute(kind)?;
        let mapped = RawAttribute::new(XorMappedAddress::TYPE, &attribute.value);
        let address = XorMappedAddress::from_raw_ref(&mapped).ok()?;
        Some(address.addr(self.message.transaction_id()))
    }
}

/// Whether a relay can send there for anybody: what would stay in its own host, or goes to many, is not asked of it.
pub(super) fn is_relayable(peer: SocketAddr) -> bool {
    let is_one_host = match peer.ip() {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_multicast() && !ip.is_broadcast() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_multicast() && !ip.is_unicast_link_local(),
    };
    is_one_host && !peer.ip().is_unspecified() && peer.port() != 0
}
