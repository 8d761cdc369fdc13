//! Each message that both write has the same bytes: what one writes the other reads, field by field.
//!
//! A strategy makes a message twice, as a type of ours and as the published one, each by the names of its fields.
//! A wrong number or type of a field shows as a difference in what is read.

mod strategies;

use std::fmt::Debug;

use actr_lite_wire::{
    envelope::{Envelope, ErrorReply},
    error_code::ErrorCode,
    frame::{DataStream, FrameEncoder, FrameHints},
    identity::{ActrId, ActrType, StreamId},
    peer_text::RawText,
    proto as ours,
    record::RecordKind,
    trace_context::TraceContext,
};
use actr_protocol as theirs;
use bytes::Bytes;
use proptest::{prelude::*, test_runner::TestCaseResult};
use prost::Message;

use crate::messages::strategies::{
    Both, actr_id, answer, claims, credential, data_stream, register_request, register_response, relayed,
    renew_request, renew_response, request, role_assignment, rpc_envelope, signaling_envelope, some,
};

/// What one writes is what the other reads.
fn agree<O, T>((ours, theirs): &Both<O, T>) -> TestCaseResult
where
    O: Message + Debug + Default + PartialEq,
    T: Message + Debug + Default + PartialEq,
{
    prop_assert_eq!(&T::decode(&*ours.encode_to_vec()).unwrap(), theirs);
    prop_assert_eq!(&O::decode(&*theirs.encode_to_vec()).unwrap(), ours);
    Ok(())
}

proptest! {
    #[test]
    fn identities_and_credentials_are_the_same(id in actr_id(), claims in claims(), credential in credential()) {
        agree(&id)?;
        agree(&claims)?;
        agree(&credential)?;
    }

    #[test]
    fn registrations_are_the_same(
        request in register_request(),
        response in register_response(),
        renew_request in renew_request(),
        renew_response in renew_response(),
    ) {
        agree(&request)?;
        agree(&response)?;
        agree(&renew_request)?;
        agree(&renew_response)?;
    }

    #[test]
    fn signaling_is_the_same(envelope in signaling_envelope()) {
        agree(&envelope)?;
    }

    // Each kind by itself: among all kinds of envelopes one would come too seldom.
    #[test]
    fn requests_and_answers_are_the_same(request in some(request()), answer in some(answer()), relayed in some(relayed())) {
        agree(&(
            ours::ActrToSignaling { payload: request.0, ..Default::default() },
            theirs::ActrToSignaling { payload: request.1, ..Default::default() },
        ))?;
        agree(&(
            ours::SignalingToActr { payload: answer.0, ..Default::default() },
            theirs::SignalingToActr { payload: answer.1, ..Default::default() },
        ))?;
        agree(&(
            ours::ActrRelay { payload: relayed.0, ..Default::default() },
            theirs::ActrRelay { payload: relayed.1, ..Default::default() },
        ))?;
    }

    #[test]
    fn what_the_registry_says_of_roles_is_the_same(assignment in role_assignment()) {
        agree(&assignment)?;
    }

    #[test]
    fn calls_and_frames_are_the_same(envelope in rpc_envelope(), frame in data_stream()) {
        agree(&envelope)?;
        agree(&frame)?;
    }

    #[test]
    fn frames_as_a_sender_writes_them_are_read(
        stream_id in "[a-z0-9]{1,12}",
        sequence in any::<u64>(),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        metadata in prop::collection::vec((".{0,5}", ".{0,5}"), 0..3),
        timestamp_ms in any::<Option<i64>>(),
    ) {
        let id: StreamId = stream_id.parse().unwrap();
        let mut encoder = FrameEncoder::new(&id);
        let mut chunk = theirs::DataChunk {
            stream_id,
            sequence,
            payload: payload.clone().into(),
            metadata: Vec::new(),
            timestamp_ms: None,
        };
        let mut frame = encoder.head(sequence, payload.len()).to_vec();
        frame.extend_from_slice(&payload);
        prop_assert_eq!(&theirs::DataChunk::decode(&*frame).unwrap(), &chunk);

        chunk.timestamp_ms = timestamp_ms;
        let entries = metadata.iter().cloned();
        chunk.metadata = entries.map(|(key, value)| theirs::MetadataEntry { key, value }).collect();
        let hints = FrameHints { metadata, timestamp_ms };
        let with_hints = DataStream::new(id, sequence, payload.clone()).with_hints(hints);
        let mut frame = encoder.head_with_hints(&with_hints);
        frame.extend_from_slice(&payload);
        prop_assert_eq!(&theirs::DataChunk::decode(&*frame).unwrap(), &chunk);
    }

    #[test]
    fn texts_of_identities_are_read_by_both(
        realm_id in any::<u32>(),
        serial_number in any::<u64>(),
        [manufacturer, name] in prop::array::uniform2("[A-Za-z]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?"),
        version in "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(-[a-z0-9]{1,5})?",
    ) {
        let actr_type = theirs::ActrType { manufacturer, name, version };
        let id = theirs::ActrId { realm: theirs::Realm { realm_id }, serial_number, r#type: actr_type.clone() };

        let our_type: ActrType = actr_type.to_string_repr().parse().unwrap();
        prop_assert_eq!(our_type.manufacturer(), &actr_type.manufacturer);
        prop_assert_eq!(our_type.name(), &actr_type.name);
        prop_assert_eq!(our_type.version(), &actr_type.version);
        prop_assert_eq!(theirs::ActrType::from_string_repr(&our_type.to_string()).unwrap(), actr_type);

        let our_id: ActrId = id.to_string_repr().parse().unwrap();
        let parts = (our_id.realm_id(), our_id.serial_number(), our_id.actr_type());
        prop_assert_eq!(parts, (realm_id, serial_number, &our_type));
        prop_assert_eq!(theirs::ActrId::from_string_repr(&our_id.to_string()).unwrap(), id);
    }
}

/// The names and numbers of two enumerations, as far as ours goes.
macro_rules! same_enumerators {
    ($ours:ty, $theirs:ty, $count:literal) => {
        for number in 0..$count {
            let (ours, theirs) = (<$ours>::try_from(number).unwrap(), <$theirs>::try_from(number).unwrap());
            assert_eq!(ours.as_str_name(), theirs.as_str_name());
        }
        assert!(<$ours>::try_from($count).is_err() && <$theirs>::try_from($count).is_err());
    };
}

#[test]
fn enumerators_have_the_same_numbers() {
    same_enumerators!(ours::RegisterAuthMode, theirs::RegisterAuthMode, 3);
    same_enumerators!(ours::ServiceAvailabilityState, theirs::ServiceAvailabilityState, 4);
    same_enumerators!(ours::acl_rule::Permission, theirs::acl_rule::Permission, 2);
    same_enumerators!(
        ours::route_candidates_request::NodeRankingFactor,
        theirs::route_candidates_request::node_selection_criteria::NodeRankingFactor,
        5
    );
    for (ours, theirs) in [
        (RecordKind::RpcReliable, theirs::PayloadType::RpcReliable),
        (RecordKind::RpcSignal, theirs::PayloadType::RpcSignal),
        (RecordKind::StreamReliable, theirs::PayloadType::StreamReliable),
        (RecordKind::StreamLatencyFirst, theirs::PayloadType::StreamLatencyFirst),
    ] {
        assert_eq!(ours as i32, theirs as i32);
    }
}

#[test]
fn the_trace_of_a_call_is_in_the_same_fields() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let ours = Envelope::Tell {
        request_id: "1".into(),
        route_key: "a.B.C".into(),
        payload: Bytes::new(),
        metadata: Vec::new(),
        trace: TraceContext::parse(parent.as_bytes(), Some(b"a=1")),
    };
    let theirs = theirs::RpcEnvelope::decode(&*ours.clone().encode()).unwrap();
    assert_eq!(theirs.traceparent.as_deref(), Some(parent));
    assert_eq!(theirs.tracestate.as_deref(), Some("a=1"));
    assert_eq!(Envelope::decode(theirs.encode_to_vec().into()), Ok(ours));
}

#[test]
fn a_call_says_whether_it_asks_or_answers_by_the_same_numbers() {
    let direction = |envelope: Envelope| theirs::RpcEnvelope::decode(&*envelope.encode()).unwrap().direction();
    let (request_id, route_key) = (RawText::from("1"), RawText::from("a.B.C"));
    let request = Envelope::Request {
        request_id: request_id.clone(),
        route_key: route_key.clone(),
        payload: Bytes::new(),
        metadata: Vec::new(),
        trace: None,
        timeout: None,
    };
    assert_eq!(direction(request), theirs::Direction::Request);
    let tell = Envelope::Tell {
        request_id: request_id.clone(),
        route_key: route_key.clone(),
        payload: Bytes::new(),
        metadata: Vec::new(),
        trace: None,
    };
    assert_eq!(direction(tell), theirs::Direction::Tell);
    let failure = ErrorReply {
        code: ErrorCode::NotFound,
        message: "nothing".into(),
    };
    for result in [Ok(Bytes::new()), Err(failure)] {
        let response = Envelope::Response {
            request_id: request_id.clone(),
            route_key: route_key.clone(),
            result,
        };
        assert_eq!(direction(response), theirs::Direction::Response);
    }
}

#[test]
fn what_only_one_side_knows_the_other_one_skips() {
    let official = theirs::RegisterRequest {
        manifest_raw: Some("manifest".into()),
        mfr_signature: Some("signature".into()),
        target: Some("target".into()),
        manufacturer_auth_signature: Some("signature".into()),
        manufacturer_auth_signed_at: Some(1),
        manufacturer_auth_nonce: Some("nonce".into()),
        ..Default::default()
    };
    let read = ours::RegisterRequest::decode(&*official.encode_to_vec()).unwrap();
    assert_eq!(read, ours::RegisterRequest::default());
    let hidden = ours::RegisterRequest {
        hidden: Some(true),
        holder_key: Some(Bytes::from_static(&[7; 32])),
        ..Default::default()
    };
    let read = theirs::RegisterRequest::decode(&*hidden.encode_to_vec()).unwrap();
    assert_eq!(read, theirs::RegisterRequest::default());
    let claims = ours::IdentityClaims {
        holder_key: Some(Bytes::from_static(&[7; 32])),
        ..Default::default()
    };
    let read = theirs::IdentityClaims::decode(&*claims.encode_to_vec()).unwrap();
    assert_eq!(read, theirs::IdentityClaims::default());
}
