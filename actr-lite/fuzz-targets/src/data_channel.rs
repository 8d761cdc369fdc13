use std::collections::BTreeMap;

use actr_lite_engine::memory::Memory;
use actr_lite_webrtc::{
    assembly::{Assembly, AssemblyError},
    channel::Channel,
};
use actr_lite_wire::record::{HEADER_LEN, header};

use crate::explained;

/// The longest record, of eight fragments at most.
const MAX_RECORD_LEN: usize = 8 << 10;

/// What the peer may make this node hold.
const SHARE: usize = 16 << 10;

/// Before the body of each message.
const MESSAGE_HEADER_LEN: usize = 8;

/// Grants [`SHARE`].
#[derive(Debug, Default)]
pub(crate) struct Share {
    granted: usize,
}

impl Memory for Share {
    type Limit = &'static str;

    fn cover(&mut self, len: usize) -> Result<(), Self::Limit> {
        if len > SHARE {
            return Err("it is used up");
        }
        self.granted = self.granted.max(len);
        Ok(())
    }

    fn shrink(&mut self, len: usize) {
        assert!(len <= self.granted, "more is held than was granted");
        self.granted = len;
    }
}

/// The bytes as messages of data channels: a byte that says which of eight channels, two with the length, and the message.
///
/// A record is made of the fragments that came last under its number, in their order; over a reliable channel as soon as all
/// are there, and then nothing of it is held.
pub fn data_channel(bytes: &[u8]) {
    let mut assembly = Assembly::new(MAX_RECORD_LEN, Share::default());
    let mut model = Model::default();
    let mut rest = bytes;
    while let Some(([lane, a, b], behind)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([*a, *b])).min(behind.len());
        let (message, behind) = behind.split_at(len);
        rest = behind;
        let lane = usize::from(lane & 7);
        let channel = Channel::ALL[lane % Channel::ALL.len()];
        match assembly.take((channel, lane), message.to_vec()) {
            Ok(record) => {
                let whole = model.take(lane, message);
                assert!(!channel.is_reliable() || whole.is_some() == record.is_some());
                if let Some(record) = record {
                    let body = model.body(lane, message);
                    assert!(body.len() <= MAX_RECORD_LEN);
                    assert_eq!(record[..HEADER_LEN], header(channel.kind(), body.len()));
                    assert_eq!(record[HEADER_LEN..], body);
                }
            }
            Err(error) => {
                let is_for_a_reason = match &error {
                    AssemblyError::Header(_) => true,
                    _ => message.len() >= MESSAGE_HEADER_LEN,
                };
                assert!(is_for_a_reason);
                return explained(&error, bytes);
            }
        }
        assert!(assembly.held() <= SHARE, "more is held than may be");
    }
}

/// What has come, by lane, number of the record and of the fragment.
#[derive(Debug, Default)]
struct Model {
    fragments: BTreeMap<(usize, u32, u16), Vec<u8>>,
    missing: BTreeMap<(usize, u32), usize>,
}

impl Model {
    /// Takes a message that is one; whether its record is whole.
    fn take(&mut self, lane: usize, message: &[u8]) -> Option<()> {
        let (number, index, count) = parts(message)?;
        if count == 1 {
            // Whatever has come of another one with its number.
            return Some(());
        }
        let body = message[MESSAGE_HEADER_LEN..].to_vec();
        self.fragments.insert((lane, number, index), body);
        let missing = self.missing.entry((lane, number)).or_insert_with(|| count.into());
        // What is forgotten of a channel that loses some is not counted here.
        *missing = missing.saturating_sub(1);
        if *missing == 0 {
            self.missing.remove(&(lane, number));
            return Some(());
        }
        None
    }

    /// The record of which a message was the last one.
    fn body(&self, lane: usize, message: &[u8]) -> Vec<u8> {
        let Some((number, _, count)) = parts(message) else {
            return Vec::new();
        };
        if count == 1 {
            return message[MESSAGE_HEADER_LEN..].to_vec();
        }
        let fragment = |index| self.fragments.get(&(lane, number, index));
        (0..count).filter_map(fragment).flatten().copied().collect()
    }
}

fn parts(message: &[u8]) -> Option<(u32, u16, u16)> {
    let &[a, b, c, d, e, f, g, h] = message.first_chunk()?;
    let number = u32::from_be_bytes([a, b, c, d]);
    Some((number, u16::from_be_bytes([e, f]), u16::from_be_bytes([g, h])))
}
