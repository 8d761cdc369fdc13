use bytes::Bytes;

use super::opcode::DataKind;

/// A message that arrives in several frames, with what has arrived of it (RFC 6455 §5.4).
#[derive(Debug)]
pub(super) struct FragmentedMessage {
    kind: DataKind,
    len: usize,
    /// The payload of a binary message; of a text message only the length is kept, because text is never delivered.
    payload: Vec<u8>,
}

impl FragmentedMessage {
    pub(super) fn new(kind: DataKind) -> Self {
        Self {
            kind,
            len: 0,
            payload: Vec::new(),
        }
    }

    /// How long the message is so far, in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends a fragment that was checked to keep the message within `limit`, and never reserves more than that.
    pub(super) fn push(&mut self, fragment: &[u8], limit: usize) {
        self.len += fragment.len();
        if self.kind == DataKind::Text {
            return;
        }
        let capacity = self.payload.capacity();
        if self.len > capacity {
            // Doubling keeps the cost linear; `Vec` by itself would double past the limit.
            let target = capacity.saturating_mul(2).min(limit).max(self.len);
            self.payload.reserve_exact(target - self.payload.len());
        }
        self.payload.extend_from_slice(fragment);
    }

    /// The payload of a binary message, and nothing of a text message.
    pub(super) fn finish(self) -> Option<Bytes> {
        (self.kind == DataKind::Binary).then(|| Bytes::from(self.payload))
    }

    /// What the message occupies, in bytes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.payload.capacity()
    }
}
