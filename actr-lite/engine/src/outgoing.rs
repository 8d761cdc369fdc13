//! The sending end of a stream: which frame is the next, whether it may leave, and what is said at the end.

use actr_lite_wire::{
    control::Control,
    credit::{CreditError, SendCredit},
    error_code::ErrorCode,
    frame::{DataStream, FrameEncoder},
    identity::StreamId,
    peer_text::PeerText,
    record::HEADER_LEN,
};

/// A stream that is sent.
#[derive(Debug)]
pub struct OutgoingStream {
    stream_id: StreamId,
    encoder: FrameEncoder,
    /// The last sequence number sent.
    sequence: u64,
    /// How many frames were sent, those included that the receiver had before.
    frames: u64,
    /// `None` if the receiver grants none: then it may always send.
    credit: Option<SendCredit>,
}

/// Why a stream breaks off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For the receiver's program.
    pub code: ErrorCode,
    /// For people.
    pub message: PeerText,
}

impl OutgoingStream {
    /// A stream whose receiver has the frames up to the number `after`, and grants credit or not.
    pub fn new(stream_id: StreamId, after: u64, has_credit: bool) -> Self {
        Self {
            encoder: FrameEncoder::new(&stream_id),
            stream_id,
            sequence: after,
            frames: after,
            credit: has_credit.then(SendCredit::default),
        }
    }

    /// Which stream it is.
    pub fn stream_id(&self) -> &StreamId {
        &self.stream_id
    }

    /// The number of the last frame that was sent, or that the receiver had before.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// How many frames were sent, those included that the receiver had before.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether the receiver's credit lets a frame leave.
    #[inline]
    pub fn may_send(&self) -> bool {
        self.credit.as_ref().is_none_or(SendCredit::may_send)
    }

    /// How many bytes the receiver's credit lets leave, if it grants any.
    #[inline]
    pub fn credit(&self) -> Option<u64> {
        self.credit.as_ref().map(SendCredit::available)
    }

    /// The receiver takes so much more. An excess was refused by [`add_grant`] when it came.
    pub fn grant(&mut self, bytes: u64) {
        if let Some(credit) = &mut self.credit {
            // It can't be more than there can be.
            let _ = credit.grant(bytes);
        }
    }

    /// The beginning of a frame's record, in front of its payload.
    #[inline]
    pub fn head(&mut self, sequence: u64, payload_len: usize) -> &[u8] {
        self.encoder.head(sequence, payload_len)
    }

    /// The same with what an application has added to the frame.
    pub fn head_with_hints(&self, frame: &DataStream) -> Vec<u8> {
        self.encoder.head_with_hints(frame)
    }

    /// How long a frame's record body can be with a payload of this length.
    #[inline]
    pub fn max_len(&self, payload_len: usize) -> usize {
        self.encoder.max_head_len(payload_len) + payload_len
    }

    /// A frame was sent, in a record body of this length. Call it only when [`Self::may_send`].
    #[inline]
    pub fn sent(&mut self, sequence: u64, len: usize) {
        if let Some(credit) = &mut self.credit {
            credit.spend((HEADER_LEN + len) as u64);
        }
        self.sequence = sequence;
        self.frames += 1;
    }

    /// A frame was sent that takes no credit, or may be dropped: those are counted by their numbers.
    pub fn skip_to(&mut self, sequence: u64) {
        self.frames += sequence - self.sequence;
        self.sequence = sequence;
    }

    /// The stream's last record, which says how many frames there were.
    pub fn last_record(&self, failure: Option<Failure>) -> Control {
        let (stream_id, frames) = (self.stream_id.clone(), self.frames);
        match failure {
            None => Control::End { stream_id, frames },
            Some(Failure { code, message }) => Control::Error {
                stream_id,
                frames,
                code,
                message,
            },
        }
    }
}

/// What came and was not counted by the sender yet, with `bytes` more.
///
/// # Errors
/// When it is more than a receiver that follows the protocol can ever grant.
pub fn add_grant(granted: u64, bytes: u64) -> Result<u64, CreditError> {
    // Checked against what a fresh window could take, so that a sum of grants can't overflow either.
    SendCredit::default().grant(bytes)?;
    let granted = granted.saturating_add(bytes);
    SendCredit::default().grant(granted)?;
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use actr_lite_wire::{
        credit::INITIAL_WINDOW,
        frame::{self, FrameHints},
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn stream(after: u64, has_credit: bool) -> OutgoingStream {
        OutgoingStream::new("s".parse().unwrap(), after, has_credit)
    }

    #[test]
    fn a_resumed_stream_counts_what_its_receiver_had() {
        let mut stream = stream(7, true);
        stream.sent(8, 10);
        assert_eq!((stream.sequence(), stream.frames()), (8, 8));
        assert!(matches!(stream.last_record(None), Control::End { frames: 8, .. }));
    }

    #[test]
    fn what_is_sent_can_be_read_and_is_no_longer_than_said() {
        let mut stream = stream(0, true);
        let payload = b"a payload";
        let hints = FrameHints {
            metadata: vec![("k".into(), "v".into())],
            ..FrameHints::default()
        };
        let frame = DataStream::new(stream.stream_id().clone(), 2, &payload[..]).with_hints(hints);
        let plain = [stream.head(1, payload.len()), payload].concat();
        assert!((payload.len() + 1..=payload.len() + 64).contains(&stream.max_len(payload.len())));
        assert!(plain.len() <= stream.max_len(payload.len()));
        let with_hints = [&stream.head_with_hints(&frame), &payload[..]].concat();
        for (number, record, hints) in [(1, plain, None), (2, with_hints, frame.hints)] {
            assert_eq!(frame::stream_id_of(&record).unwrap(), b"s");
            let read = frame::decode(&record).unwrap();
            assert_eq!((read.sequence, read.hints), (number, hints));
            assert_eq!(record[read.payload], payload[..]);
        }
    }

    #[test]
    fn a_receiver_without_credit_holds_up_nobody() {
        let mut stream = stream(0, false);
        for sequence in 1..=10 {
            stream.sent(sequence, 1 << 20);
            assert!(stream.may_send());
        }
        stream.grant(u64::MAX);
    }

    #[test]
    fn a_stream_that_breaks_off_says_why_and_where() {
        let failure = Failure {
            code: ErrorCode::Unavailable,
            message: "it stops".into(),
        };
        let last = stream(3, true).last_record(Some(failure));
        assert!(
            matches!(
                last,
                Control::Error {
                    frames: 3,
                    code: ErrorCode::Unavailable,
                    ..
                }
            ),
            "{last:?}"
        );
    }

    #[test]
    fn dropped_frames_count_by_their_numbers() {
        let mut stream = stream(2, true);
        stream.skip_to(3);
        stream.skip_to(9);
        assert_eq!((stream.sequence(), stream.frames()), (9, 9));
    }

    #[test]
    fn no_sum_of_grants_is_more_than_there_can_be() {
        let once = add_grant(0, INITIAL_WINDOW).unwrap();
        assert_eq!(add_grant(once, 1), Ok(INITIAL_WINDOW + 1));
        assert!(add_grant(once, u64::MAX).is_err());
        assert!(add_grant(u64::MAX - 1, 1).is_err());
    }

    proptest! {
        #[test]
        fn credit_is_what_was_granted_and_not_spent(steps in vec((any::<bool>(), 1usize..200_000), 1..50)) {
            let mut stream = stream(0, true);
            let (mut credit, mut sequence) = (INITIAL_WINDOW as i64, 0);
            for (sends, len) in steps {
                if !sends {
                    stream.grant(len as u64);
                    credit += len as i64;
                } else if stream.may_send() {
                    sequence += 1;
                    stream.sent(sequence, len);
                    credit -= (HEADER_LEN + len) as i64;
                }
                prop_assert_eq!(stream.may_send(), credit > 0);
                prop_assert_eq!((stream.sequence(), stream.frames()), (sequence, sequence));
            }
        }
    }
}
