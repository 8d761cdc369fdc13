//! The contract is that of the original example: names, numbers, routes and fingerprint.

use actr_lite::Rpc;
use prost::Message;
use protos::stream_client::{LOCAL_STREAM_SERVICE_DESCRIPTOR, StartStreamRequest, StartStreamResponse};
use protos::stream_server::{RegisterStreamRequest, RegisterStreamResponse, STREAM_SERVER_DESCRIPTOR};

#[test]
fn the_routes_are_those_of_the_original() {
    assert_eq!(
        RegisterStreamRequest::ROUTE,
        "stream_server.StreamServer.RegisterStream"
    );
    assert_eq!(STREAM_SERVER_DESCRIPTOR.routes, [RegisterStreamRequest::ROUTE]);
    assert_eq!(
        StartStreamRequest::ROUTE,
        "stream_client.LocalStreamService.StartStream"
    );
    assert_eq!(LOCAL_STREAM_SERVICE_DESCRIPTOR.routes, [StartStreamRequest::ROUTE]);
}

#[test]
fn the_fingerprint_of_the_servers_contract_is_the_originals() {
    assert_eq!(STREAM_SERVER_DESCRIPTOR.proto_file, "stream_server.proto");
    assert_eq!(
        STREAM_SERVER_DESCRIPTOR.proto_fingerprint,
        "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355"
    );
}

#[test]
fn the_descriptor_carries_the_proto_file_word_for_word() {
    assert_eq!(
        STREAM_SERVER_DESCRIPTOR.proto_source,
        include_str!("../stream_server.proto")
    );
}

#[test]
fn the_messages_have_the_originals_field_numbers() {
    let register = RegisterStreamRequest {
        stream_id: "ab".into(),
        message_count: 7,
    };
    assert_eq!(register.encode_to_vec(), b"\x0a\x02ab\x10\x07");
    let registered = RegisterStreamResponse {
        success: true,
        message: "ok".into(),
    };
    assert_eq!(registered.encode_to_vec(), b"\x08\x01\x12\x02ok");
    let start = StartStreamRequest { message_count: 7 };
    assert_eq!(start.encode_to_vec(), b"\x08\x07");
    let started = StartStreamResponse {
        success: true,
        message: "ok".into(),
    };
    assert_eq!(started.encode_to_vec(), b"\x08\x01\x12\x02ok");
}
