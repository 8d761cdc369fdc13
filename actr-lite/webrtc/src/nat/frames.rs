//! What a relay sends over TCP, one by one (RFC 8656 §12.5).

/// The longest frame: a STUN message, or what a channel carries, with its header.
const MAX_FRAME: usize = 4 + u16::MAX as usize + 3;

/// The header of STUN messages; of what channels carry.
const MESSAGE_HEADER: usize = 20;
const CHANNEL_HEADER: usize = 4;

/// Takes a stream of bytes apart.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    at: usize,
}

/// The bytes are not what a relay sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay sends something else than STUN and TURN")]
pub struct NoFrame;

impl Frames {
    /// More has come.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.at == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..self.at);
        }
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next frame that is complete, without what fills it up.
    ///
    /// # Errors
    /// When it is none. Then there is nothing to be read any more.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, NoFrame> {
        let rest = &self.bytes[self.at..];
        let [first, _, high, low, ..] = rest else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (len, padded) = match first >> 6 {
            0 => (MESSAGE_HEADER + len, MESSAGE_HEADER + len),
            1 => (CHANNEL_HEADER + len, CHANNEL_HEADER + len.next_multiple_of(4)),
            _ => return Err(NoFrame),
        };
        if padded > MAX_FRAME {
            return Err(NoFrame);
        }
        if rest.len() < padded {
            return Ok(None);
        }
        let start = self.at;
        self.at += padded;
        Ok(Some(&self.bytes[start..start + len]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a relay sends: a channel's data, filled up, or a message.
    fn frame(is_channel: bool, body: &[u8]) -> Vec<u8> {
        let body = match is_channel {
            true => body.to_vec(),
            false => body[..body.len() & !3].to_vec(),
        };
        let mut frame = vec![if is_channel { 0x40 } else { 0x01 }, 1];
        frame.extend((body.len() as u16).to_be_bytes());
        if !is_channel {
            frame.extend([7; 16]);
        }
        frame.extend(body);
        frame
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in(
            sent in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..50)), 0..20),
            cut in 1..40usize,
        ) {
            let sent: Vec<_> = sent.iter().map(|(is_channel, body)| frame(*is_channel, body)).collect();
            let padded: Vec<_> = sent.iter().flat_map(|frame| {
                let mut frame = frame.clone();
                frame.resize(frame.len().next_multiple_of(4), 0);
                frame
            }).collect();
            let (mut frames, mut received) = (Frames::default(), Vec::new());
            for piece in padded.chunks(cut) {
                frames.extend(piece);
                while let Some(frame) = frames.next_frame().unwrap() {
                    received.push(frame.to_vec());
                }
            }
            prop_assert_eq!(received, sent);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut frames = Frames::default();
            frames.extend(&bytes);
            while let Ok(Some(_)) = frames.next_frame() {}
        }
    }
}
