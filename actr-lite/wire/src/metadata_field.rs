//! The metadata of an encoded envelope, without decoding it.

/// The field of [`RpcEnvelope`](crate::proto::RpcEnvelope) that has an entry of metadata.
const METADATA: u64 = 103;

/// How many entries there are; `None` if the bytes are no message.
pub(crate) fn count(message: &[u8]) -> Option<usize> {
    let mut entries = 0;
    walk(message, |number, _| entries += usize::from(number == METADATA))?;
    Some(entries)
}

/// The message without its entries; `None` if the bytes are no message.
pub(crate) fn without(message: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Vec::new();
    walk(message, |number, field| {
        if number != METADATA {
            rest.extend_from_slice(field);
        }
    })?;
    Some(rest)
}

/// Shows each field of a message with its number.
fn walk<'a>(message: &'a [u8], mut show: impl FnMut(u64, &'a [u8])) -> Option<()> {
    let mut left = message;
    while !left.is_empty() {
        let field = left;
        let key = varint(&mut left)?;
        let len = match key & 7 {
            0 => {
                varint(&mut left)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut left)?).ok()?,
            5 => 4,
            // Groups are of a time before this protocol.
            _ => return None,
        };
        left = left.get(len..)?;
        show(key >> 3, &field[..field.len() - left.len()]);
    }
    Some(())
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7F).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::{collection::vec, prelude::*};
    use prost::Message as _;

    use super::*;
    use crate::proto::{MetadataEntry, RpcEnvelope};

    fn any_envelope() -> impl Strategy<Value = RpcEnvelope> {
        let entry = (".{0,9}", ".{0,9}").prop_map(|(key, value)| MetadataEntry { key, value });
        (
            ".{0,200}",
            any::<Option<i64>>(),
            vec(entry, 0..20),
            vec(any::<u8>(), 0..300),
        )
            .prop_map(|(request_id, timeout_ms, metadata, payload)| RpcEnvelope {
                request_id,
                timeout_ms,
                metadata,
                payload: Some(Bytes::from(payload)),
                ..Default::default()
            })
    }

    proptest! {
        #[test]
        fn entries_are_counted_and_left_out_as_if_decoded(envelope in any_envelope()) {
            let bytes = envelope.encode_to_vec();
            prop_assert_eq!(count(&bytes), Some(envelope.metadata.len()));
            let rest = RpcEnvelope { metadata: Vec::new(), ..envelope };
            prop_assert_eq!(without(&bytes), Some(rest.encode_to_vec()));
        }

        #[test]
        fn what_can_be_decoded_can_be_walked(bytes in vec(any::<u8>(), 0..60)) {
            if let Ok(envelope) = RpcEnvelope::decode(&bytes[..])
                && let Some(entries) = count(&bytes)
            {
                prop_assert_eq!(entries, envelope.metadata.len());
            }
        }
    }
}
