//! A relay in memory, as RFC 8656 has it, for tests.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use stun_types::{
    attribute::{
        AlternateServer, AttributeType, AttributeWrite, ErrorCode, Nonce, RawAttribute, Realm, Username,
        XorMappedAddress,
    },
    message::{BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageWrite, MessageWriteVec, Method},
    prelude::*,
};

pub(super) const SERVER: &str = "192.0.2.9:3478";
pub(super) const RELAYED: &str = "192.0.2.9:50000";
pub(super) const RELAYED_IPV6: &str = "[2001:db8::9]:50000";
pub(super) const MAPPED: &str = "198.51.100.1:4000";

const REALM: &str = "example.org";

/// What a relay asks for and refuses is up to the test.
pub(super) struct Server {
    pub(super) password: &'static str,
    pub(super) nonce: u32,
    /// Until when there is an address.
    pub(super) until: Option<Duration>,
    pub(super) lifetime: u32,
    /// Whose number each is, and until when.
    pub(super) channels: HashMap<u16, (SocketAddr, Duration)>,
    /// Who is to be asked in its place.
    pub(super) alternate: Option<SocketAddr>,
    /// Whether it is asked over IPv6, and gives such addresses.
    pub(super) is_ipv6: bool,
    /// Channels to it are refused.
    pub(super) forbidden: Option<SocketAddr>,
    /// What was sent to peers.
    pub(super) relayed: Vec<(SocketAddr, Vec<u8>)>,
    /// How many requests came, by method.
    pub(super) requests: HashMap<u16, usize>,
}

pub(super) const ALLOCATE: u16 = 3;
pub(super) const REFRESH: u16 = 4;
pub(super) const CHANNEL_BIND: u16 = 9;

impl Server {
    pub(super) fn new() -> Self {
        Self {
            password: "secret",
            nonce: 1,
            until: None,
            lifetime: 600,
            channels: HashMap::new(),
            alternate: None,
            is_ipv6: false,
            forbidden: None,
            relayed: Vec::new(),
            requests: HashMap::new(),
        }
    }

    /// Takes what a client sends; the answer, if there is one.
    pub(super) fn take(&mut self, bytes: &[u8], now: Duration) -> Option<Vec<u8>> {
        if bytes[0] == 0x40 {
            let number = u16::from_be_bytes([bytes[0], bytes[1]]);
            let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            let (peer, until) = self.channels.get(&number)?;
            if self.is_open(now) && *until > now {
                self.relayed.push((*peer, bytes[4..4 + len].to_vec()));
            }
            return None;
        }
        let message = Message::from_bytes(bytes).unwrap();
        let method = message.method();
        *self.requests.entry(method.value()).or_default() += 1;
        if let Some(alternate) = self.alternate {
            let mut answer = error(&message, 300);
            answer.add_attribute(&AlternateServer::new(alternate)).unwrap();
            return Some(answer.finish());
        }
        if method == BINDING {
            let mut answer = Message::builder_success(&message, MessageWriteVec::new());
            let mapped = XorMappedAddress::new(MAPPED.parse().unwrap(), message.transaction_id());
            answer.add_attribute(&mapped).unwrap();
            return Some(answer.finish());
        }
        let nonce = self.nonce.to_string();
        let key = LongTermKeyCredentials::new("user".into(), self.password.into(), REALM.into());
        let key = key.make_key(IntegrityAlgorithm::Sha1);
        let is_authentic = message
            .attribute::<Username>()
            .is_ok_and(|user| user.username() == "user")
            && message.validate_integrity_with_key(&key).is_ok();
        let shown = message.attribute::<Nonce>().ok();
        let code = match shown {
            _ if !is_authentic => 401,
            Some(shown) if shown.nonce() == nonce => 0,
            _ => 438,
        };
        if code != 0 {
            let mut answer = error(&message, code);
            answer.add_attribute(&Realm::new(REALM).unwrap()).unwrap();
            answer.add_attribute(&Nonce::new(&nonce).unwrap()).unwrap();
            return Some(answer.finish());
        }
        let mut answer = match self.serve(&message, method, now) {
            Ok(answer) => answer,
            Err(code) => error(&message, code),
        };
        answer
            .add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1)
            .unwrap();
        Some(answer.finish())
    }

    /// What a peer's datagram becomes.
    pub(super) fn sent_by(&self, peer: SocketAddr, data: &[u8], now: Duration) -> Option<Vec<u8>> {
        let is_bound = |(_, (bound, until)): &(&u16, &(SocketAddr, Duration))| *bound == peer && *until > now;
        if let Some((number, _)) = self.channels.iter().find(is_bound) {
            let mut framed = number.to_be_bytes().to_vec();
            framed.extend((data.len() as u16).to_be_bytes());
            framed.extend(data);
            return Some(framed);
        }
        let mut values = self.channels.values();
        values.find(|(bound, until)| bound.ip() == peer.ip() && *until > now)?;
        let mut indication = Message::builder_indication(Method::new(7), MessageWriteVec::new());
        let mapped = XorMappedAddress::new(peer, indication.transaction_id());
        let peer = RawAttribute::new(AttributeType::new(0x12), &mapped.to_raw().value).into_owned();
        indication.add_attribute(&peer).unwrap();
        indication
            .add_attribute(&RawAttribute::new(AttributeType::new(0x13), data))
            .unwrap();
        Some(indication.finish())
    }

    fn is_open(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    fn serve(&mut self, message: &Message<'_>, method: Method, now: Duration) -> Result<MessageWriteVec, u16> {
        let mut answer = Message::builder_success(message, MessageWriteVec::new());
        let id = message.transaction_id();
        match method.value() {
            ALLOCATE => {
                if self.is_open(now) {
                    return Err(437);
                }
                assert!(
                    message.has_attribute(AttributeType::new(0x19)),
                    "no REQUESTED-TRANSPORT"
                );
                // Without REQUESTED-ADDRESS-FAMILY the address would be of IPv4.
                let family = message.raw_attribute(AttributeType::new(0x17));
                let asked = family.map_or(1, |family| family.value[0]);
                assert_eq!(asked, if self.is_ipv6 { 2 } else { 1 });
                self.until = Some(now + Duration::from_secs(self.lifetime.into()));
                let relayed = if self.is_ipv6 { RELAYED_IPV6 } else { RELAYED };
                let relayed = XorMappedAddress::new(relayed.parse().unwrap(), id);
                let relayed = RawAttribute::new(AttributeType::new(0x16), &relayed.to_raw().value).into_owned();
                answer.add_attribute(&relayed).unwrap();
                self.add_lifetime(&mut answer, self.lifetime);
            }
            REFRESH if self.is_open(now) => {
                let asked = message.raw_attribute(AttributeType::new(0x0D)).unwrap();
                let asked = u32::from_be_bytes((*asked.value).try_into().unwrap());
                let lifetime = asked.min(self.lifetime);
                self.until = Some(now + Duration::from_secs(lifetime.into()));
                self.add_lifetime(&mut answer, lifetime);
            }
            CHANNEL_BIND if self.is_open(now) => {
                let number = message.raw_attribute(AttributeType::new(0x0C)).unwrap();
                let number = u16::from_be_bytes([number.value[0], number.value[1]]);
                let peer = message.raw_attribute(AttributeType::new(0x12)).unwrap();
                let peer = RawAttribute::new(XorMappedAddress::TYPE, &peer.value).into_owned();
                let peer = XorMappedAddress::from_raw_ref(&peer).unwrap().addr(id);
                if self.forbidden == Some(peer) {
                    return Err(403);
                }
                let is_other = |(bound, until): &(SocketAddr, Duration)| *bound != peer && *until > now;
                if self.channels.get(&number).is_some_and(is_other) {
                    return Err(400);
                }
                // The channel lasts longer, but without the permission it is of no use.
                self.channels.insert(number, (peer, now + Duration::from_secs(300)));
            }
            _ => return Err(437),
        }
        Ok(answer)
    }

    fn add_lifetime(&self, answer: &mut MessageWriteVec, seconds: u32) {
        let bytes = seconds.to_be_bytes();
        answer
            .add_attribute(&RawAttribute::new(AttributeType::new(0x0D), &bytes))
            .unwrap();
    }
}

fn error(message: &Message<'_>, code: u16) -> MessageWriteVec {
    let mut answer = Message::builder_error(message, MessageWriteVec::new());
    answer
        .add_attribute(&ErrorCode::builder(code).build().unwrap())
        .unwrap();
    answer
}
