//! Where a call belongs in a trace, as [W3C Trace Context](https://www.w3.org/TR/trace-context/) says it.

mod trace_state;

use std::{
    fmt,
    num::{NonZeroU64, NonZeroU128},
};

use data_encoding::HEXLOWER;

pub use self::trace_state::{MAX_STATE_BYTES, MAX_STATE_MEMBERS, TraceState};

/// How long the text of version 00 is: `00-<32 digits>-<16 digits>-<2 digits>`.
pub const TRACEPARENT_LEN: usize = 55;

/// The version that no text may have.
const NO_VERSION: u8 = 0xff;

/// The flag of a trace of which the caller may have recorded something.
const SAMPLED: u8 = 1;

/// What all spans of a trace share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

/// One span of a trace: a call, as one of its two sides sees it, or a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

/// The span that caused a call, and the trace that it belongs to. A clone copies no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that what carries this is a part of.
    pub span_id: SpanId,
    /// Whether whoever made that span may have recorded it.
    pub is_sampled: bool,
    /// What tracing systems have added.
    pub state: TraceState,
}

impl TraceContext {
    /// What a caller wrote. A broken `traceparent` is none; a broken `tracestate` is an empty one, as the standard says.
    pub fn parse(traceparent: &[u8], tracestate: Option<&[u8]>) -> Option<Self> {
        let (text, rest) = traceparent.split_at_checked(TRACEPARENT_LEN)?;
        let [version] = hex(text.get(..2)?)?;
        let is_of_version = match version {
            0 => rest.is_empty(),
            NO_VERSION => false,
            // A later version may only add to this one.
            _ => rest.is_empty() || rest.starts_with(b"-"),
        };
        let has_dashes = [2, 35, 52].into_iter().all(|at| text.get(at) == Some(&b'-'));
        let [flags] = hex(text.get(53..)?)?;
        (is_of_version && has_dashes).then_some(Self {
            trace_id: TraceId(NonZeroU128::new(u128::from_be_bytes(hex(text.get(3..35)?)?))?),
            span_id: SpanId(NonZeroU64::new(u64::from_be_bytes(hex(text.get(36..52)?)?))?),
            is_sampled: flags & SAMPLED != 0,
            state: tracestate.and_then(TraceState::parse).unwrap_or_default(),
        })
    }

    /// The text of the first of the two fields.
    pub fn traceparent(&self) -> [u8; TRACEPARENT_LEN] {
        let mut text = [b'-'; TRACEPARENT_LEN];
        let parts = [
            (0, &[0][..]),
            (3, &self.trace_id.0.get().to_be_bytes()),
            (36, &self.span_id.0.get().to_be_bytes()),
            (53, &[u8::from(self.is_sampled)]),
        ];
        for (at, bytes) in parts {
            HEXLOWER.encode_mut(bytes, &mut text[at..at + 2 * bytes.len()]);
        }
        text
    }

    /// The context of another span of the same trace.
    pub fn with_span(&self, span_id: SpanId) -> Self {
        Self {
            span_id,
            ..self.clone()
        }
    }
}

impl TraceId {
    /// Of a random number; 0, which is no id, counts as 1.
    pub fn of(random: u128) -> Self {
        Self(NonZeroU128::new(random).unwrap_or(NonZeroU128::MIN))
    }

    /// As a number.
    pub fn number(self) -> u128 {
        self.0.get()
    }
}

impl SpanId {
    /// Of a random number; 0, which is no id, counts as 1.
    pub fn of(random: u64) -> Self {
        Self(NonZeroU64::new(random).unwrap_or(NonZeroU64::MIN))
    }

    /// As a number.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The bytes of so many digits, none of them a capital letter.
fn hex<const LEN: usize>(digits: &[u8]) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    let len = HEXLOWER.decode_len(digits.len()).ok()?;
    HEXLOWER.decode_mut(digits, bytes.get_mut(..len)?).ok()?;
    (len == LEN).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parse(traceparent: &str) -> Option<TraceContext> {
        TraceContext::parse(traceparent.as_bytes(), None)
    }

    #[test]
    fn a_valid_text_is_read_and_written_as_it_was() {
        let context = parse(VALID).unwrap();
        assert_eq!(context.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id.to_string(), "b7ad6b7169203331");
        assert!(context.is_sampled);
        assert_eq!(context.traceparent(), VALID.as_bytes());
        let later = parse(&format!("cc{}-what-comes-after", &VALID[2..]));
        assert_eq!(later, Some(context), "a later version is read as far as this one goes");
    }

    #[test]
    fn only_the_flag_that_is_known_is_passed_on() {
        for (flags, is_sampled) in [("00", false), ("02", false), ("ff", true)] {
            let context = parse(&format!("{}{flags}", &VALID[..53])).unwrap();
            assert_eq!(context.is_sampled, is_sampled, "{flags}");
            assert!(
                context
                    .traceparent()
                    .ends_with(if is_sampled { b"-01" } else { b"-00" })
            );
        }
    }

    #[test]
    fn a_broken_text_is_none() {
        for broken in [
            "",
            "00",
            &VALID[..54],
            &format!("{VALID}-"),
            &format!("{VALID}0"),
            &format!("ff{}", &VALID[2..]),
            &format!("cc{}x", &VALID[2..]),
            &VALID.replace('-', "_"),
            &VALID.to_uppercase(),
            &VALID.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            &VALID.replace("b7ad6b7169203331", &"0".repeat(16)),
            &VALID.replace("01", "0g"),
            &VALID.replace("0af7", "é7"),
        ] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_broken_state_leaves_the_rest_as_it_is() {
        let read = |state| TraceContext::parse(VALID.as_bytes(), Some(state)).unwrap();
        assert_eq!(read(b"vendor=1".as_slice()).state.as_str(), "vendor=1");
        assert_eq!(read(b"Vendor=\n".as_slice()), parse(VALID).unwrap());
    }

    proptest! {
        #[test]
        fn every_context_is_read_as_it_was_written(trace: u128, span: u64, is_sampled: bool) {
            let context = TraceContext {
                trace_id: TraceId::of(trace),
                span_id: SpanId::of(span),
                is_sampled,
                state: TraceState::default(),
            };
            prop_assert_eq!(TraceContext::parse(&context.traceparent(), None), Some(context));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(parent in vec(any::<u8>(), 0..70), state in vec(any::<u8>(), 0..600)) {
            if let Some(context) = TraceContext::parse(&parent, Some(&state)) {
                prop_assert!(context.state.as_str().len() <= MAX_STATE_BYTES);
            }
        }
    }
}
