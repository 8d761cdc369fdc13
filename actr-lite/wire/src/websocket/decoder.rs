use bytes::{Buf, Bytes, BytesMut};

use super::{
    close_frame::CloseFrame,
    fragmented_message::FragmentedMessage,
    frame_header::{FrameHeader, MIN_HEADER_LEN, Parsed},
    mask::apply_mask,
    opcode::{ControlKind, DataKind, Opcode},
    protocol_error::ProtocolError,
    role::Role,
};

/// What a peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole binary message. If it was not fragmented, it is a view into the buffer that it was decoded from, and
    /// keeps that buffer's memory alive.
    Binary(Bytes),
    /// A text message, which is neither checked nor delivered: close with [`CloseCode::UNSUPPORTED_DATA`].
    ///
    /// [`CloseCode::UNSUPPORTED_DATA`]: super::CloseCode::UNSUPPORTED_DATA
    Text,
    /// A ping: send the payload back in a pong (RFC 6455 §5.5.2).
    Ping(Bytes),
    /// A pong, with the payload of the ping that it answers, or unasked for (RFC 6455 §5.5.3).
    Pong(Bytes),
    /// A close: send one back, unless one was sent already, and close the socket (RFC 6455 §5.5.1). The decoder says
    /// nothing after it.
    Close(Option<CloseFrame>),
}

/// Cuts what a peer sends into messages and control frames (RFC 6455 §5).
///
/// Memory is bounded: besides the caller's buffer, at most `max_message_len` bytes of a fragmented message are held,
/// and a length is checked before anything is reserved for it.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    max_message_len: usize,
    state: State,
    fragmented: Option<FragmentedMessage>,
    wanted: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The next bytes are a frame's header.
    Header,
    /// The next bytes are a frame's payload, of a length that was checked.
    Payload { header: FrameHeader, len: usize },
    /// A close arrived.
    Closed,
    /// The peer broke the protocol.
    Failed(ProtocolError),
}

impl Decoder {
    /// A decoder for what the peer of a `role` sends right after the upgrade. A message over `max_message_len` bytes,
    /// whole or in fragments, is an error.
    pub fn new(role: Role, max_message_len: usize) -> Self {
        Self {
            role,
            max_message_len,
            state: State::Header,
            fragmented: None,
            wanted: MIN_HEADER_LEN,
        }
    }

    /// Takes the next event off the front of `buffer`, or `None` if it takes more bytes to say what comes next. Call
    /// it until `None` after every read, always with the same buffer.
    ///
    /// What follows a close is thrown away (RFC 6455 §1.4).
    ///
    /// # Errors
    ///
    /// If the peer broke the protocol. The place of the next frame is unknown then, so every later call returns the
    /// same error.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        let decoded = self.decode_frames(buffer);
        if let Err(error) = decoded {
            self.state = State::Failed(error);
            self.fragmented = None;
            self.wanted = 0;
        }
        decoded
    }

    /// How many bytes the buffer lacks at least before [`decode`](Self::decode) can get further, as of its last
    /// call: the rest of a header, or of a payload whose length was checked, so memory may be reserved for it. 0 if
    /// nothing is wanted any more, after a close or an error.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Whether a part of a message has come, as of the last call of [`decode`](Self::decode), and the rest has not.
    pub fn is_within_message(&self) -> bool {
        self.fragmented.is_some() || matches!(self.state, State::Payload { .. })
    }

    /// How many bytes of a fragmented message are held besides the buffer.
    pub fn fragmented_len(&self) -> usize {
        self.fragmented.as_ref().map_or(0, FragmentedMessage::len)
    }

    fn decode_frames(&mut self, buffer: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        loop {
            let (header, len) = match self.state {
                State::Header => match FrameHeader::parse(buffer, self.role)? {
                    Parsed::Incomplete { missing } => {
                        self.wanted = missing;
                        return Ok(None);
                    }
                    Parsed::Complete { header, header_len } => {
                        let len = self.admit(&header)?;
                        buffer.advance(header_len);
                        (header, len)
                    }
                },
                State::Payload { header, len } => (header, len),
                State::Closed => {
                    buffer.clear();
                    return Ok(None);
                }
                State::Failed(error) => return Err(error),
            };
            if buffer.len() < len {
                self.state = State::Payload { header, len };
                self.wanted = len - buffer.len();
                return Ok(None);
            }
            self.state = State::Header;
            self.wanted = MIN_HEADER_LEN;
            let mut payload = buffer.split_to(len);
            if let Some(key) = header.mask {
                apply_mask(&mut payload, key);
            }
            if let Some(event) = self.finish_frame(header, payload)? {
                return Ok(Some(event));
            }
        }
    }

    /// Checks a header against what came before it, and returns the length of its payload.
    fn admit(&self, header: &FrameHeader) -> Result<usize, ProtocolError> {
        let earlier = match (header.opcode, &self.fragmented) {
            (Opcode::Continuation, None) => return Err(ProtocolError::ContinuationWithoutStart),
            (Opcode::Data(_), Some(_)) => return Err(ProtocolError::DataInsideFragmented),
            (Opcode::Continuation, Some(message)) => message.len(),
            (Opcode::Data(_), None) => 0,
            // At most 125 bytes, which is no matter of the message limit.
            (Opcode::Control(_), _) => {
                return usize::try_from(header.payload_len).map_err(|_| ProtocolError::ControlTooLong);
            }
        };
        let room = self.max_message_len.saturating_sub(earlier);
        match usize::try_from(header.payload_len) {
            Ok(len) if len <= room => Ok(len),
            _ => Err(ProtocolError::MessageTooLong {
                len: header.payload_len.saturating_add(earlier as u64),
                limit: self.max_message_len,
            }),
        }
    }

    /// What a whole frame amounts to: nothing yet, if its message goes on.
    fn finish_frame(&mut self, header: FrameHeader, payload: BytesMut) -> Result<Option<Event>, ProtocolError> {
        let mut message = match header.opcode {
            Opcode::Data(DataKind::Binary) if header.is_final => return Ok(Some(Event::Binary(payload.freeze()))),
            Opcode::Data(DataKind::Text) if header.is_final => return Ok(Some(Event::Text)),
            Opcode::Control(ControlKind::Ping) => return Ok(Some(Event::Ping(payload.freeze()))),
            Opcode::Control(ControlKind::Pong) => return Ok(Some(Event::Pong(payload.freeze()))),
            Opcode::Control(ControlKind::Close) => {
                let close = CloseFrame::parse(&payload)?;
                self.state = State::Closed;
                self.fragmented = None;
                self.wanted = 0;
                return Ok(Some(Event::Close(close)));
            }
            Opcode::Data(kind) => FragmentedMessage::new(kind),
            Opcode::Continuation => self.fragmented.take().ok_or(ProtocolError::ContinuationWithoutStart)?,
        };
        message.push(&payload, self.max_message_len);
        if header.is_final {
            return Ok(Some(message.finish().map_or(Event::Text, Event::Binary)));
        }
        self.fragmented = Some(message);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::websocket::opcode::MAX_CONTROL_PAYLOAD_LEN;

    const LIMIT: usize = 300;

    /// Something between noise and frames: mostly legal first bytes, any length, any mask bit.
    fn almost_frames() -> impl Strategy<Value = Vec<u8>> {
        let first = prop_oneof![
            4 => Just(0x00), 4 => Just(0x02), 1 => Just(0x01), 1 => Just(0x80), 2 => Just(0x82), 1 => Just(0x89),
            1 => any::<u8>(),
        ];
        let second = prop_oneof![6 => 0..126u8, 1 => Just(126), 1 => Just(127), 1 => any::<u8>()];
        let frame = (first, second, any::<bool>(), vec(any::<u8>(), 0..4)).prop_map(|(first, second, whole, noise)| {
            let mut bytes = vec![first, second];
            if whole {
                bytes.resize(2 + usize::from(second & 0x7F), 0x33);
            }
            bytes.extend(noise.iter().filter(|_| !whole));
            bytes
        });
        vec(frame, 0..40).prop_map(|frames| frames.concat())
    }

    proptest! {
        #[test]
        fn whatever_arrives_no_more_than_the_limit_is_held_or_wanted(
            bytes in prop_oneof![almost_frames(), vec(any::<u8>(), 0..500)],
            chunk in 1..100usize,
            role in prop_oneof![Just(Role::Client), Just(Role::Server)],
        ) {
            let mut decoder = Decoder::new(role, LIMIT);
            let mut buffer = BytesMut::new();
            'reading: for chunk in bytes.chunks(chunk) {
                buffer.extend_from_slice(chunk);
                loop {
                    let decoded = decoder.decode(&mut buffer);
                    let message = decoder.fragmented.as_ref();
                    prop_assert!(message.map_or(0, FragmentedMessage::capacity) <= LIMIT);
                    let room = LIMIT - message.map_or(0, FragmentedMessage::len);
                    prop_assert!(decoder.wanted() <= room.max(MAX_CONTROL_PAYLOAD_LEN));
                    match decoded {
                        Ok(Some(Event::Binary(payload))) => prop_assert!(payload.len() <= LIMIT),
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => {
                            prop_assert!(message.is_none());
                            break 'reading;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_fragmented_message_reserves_no_more_than_its_limit() {
        let mut decoder = Decoder::new(Role::Client, LIMIT);
        let mut buffer = BytesMut::from(&[0x02, 100][..]);
        buffer.resize(102, 7);
        for _ in 0..2 {
            buffer.extend_from_slice(&[0x00, 100]);
            buffer.resize(buffer.len() + 100, 7);
        }
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        let message = decoder.fragmented.expect("a message is under way");
        assert_eq!((message.len(), message.capacity()), (LIMIT, LIMIT));
    }
}
