//! What the bytes of a stream cost, without a socket.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make the functions, and a benchmark that can't go on has failed"
)]

use std::{hint::black_box, time::Duration};

use actr_lite_wire::{
    frame::{self, FrameDecoder, FrameEncoder},
    identity::StreamId,
    proto::DataStream,
    record::{self, RecordKind},
    websocket::{Decoder, Event, HEADER_ROOM, Role, seal},
};
use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message as _;

/// What the product makes one message of.
const BATCH: usize = 64 << 10;

const TEXT: &[u8] = b"[server] Stream message 123456 for k3v9x2ab";

fn stream_id() -> StreamId {
    "k3v9x2ab".parse().unwrap()
}

/// Appends a frame as the product does, header and all.
fn append(batch: &mut Vec<u8>, encoder: &mut FrameEncoder, sequence: u64) {
    let head = encoder.head(sequence, TEXT.len());
    batch.extend_from_slice(&record::header(RecordKind::StreamReliable, head.len() + TEXT.len()));
    batch.extend_from_slice(head);
    batch.extend_from_slice(TEXT);
}

/// Records of text frames, as many as a batch holds.
fn batch() -> Vec<u8> {
    let (mut batch, mut encoder, mut sequence) = (Vec::new(), FrameEncoder::new(&stream_id()), 100_000);
    while batch.len() + TEXT.len() + encoder.max_head_len(TEXT.len()) + record::HEADER_LEN <= BATCH {
        append(&mut batch, &mut encoder, sequence);
        sequence += 1;
    }
    batch
}

fn encode(criterion: &mut Criterion) {
    let (mut batch, mut encoder, mut sequence) = (Vec::with_capacity(2 * BATCH), FrameEncoder::new(&stream_id()), 0);
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    group.bench_function("text frame into a batch", |bencher| {
        bencher.iter(|| {
            if batch.len() >= BATCH {
                batch.clear();
            }
            sequence += 1;
            append(&mut batch, &mut encoder, black_box(sequence));
        });
    });
    group.finish();
}

fn decode(criterion: &mut Criterion) {
    let mut encoder = FrameEncoder::new(&stream_id());
    let mut body = encoder.head(123_456, TEXT.len()).to_vec();
    body.extend_from_slice(TEXT);
    let body = Bytes::from(body);
    let decoder = FrameDecoder::new(&stream_id());
    assert!(decoder.decode_plain(&body).is_some());

    let mut group = criterion.benchmark_group("decode a text frame");
    group.throughput(Throughput::Elements(1));
    group.bench_function("plain", |bencher| {
        bencher.iter(|| decoder.decode_plain(black_box(&body)));
    });
    group.bench_function("any field", |bencher| {
        bencher.iter(|| frame::decode(black_box(&body)));
    });
    group.bench_function("prost", |bencher| {
        bencher.iter(|| DataStream::decode(black_box(&body).clone()));
    });
    group.finish();
}

fn walk(criterion: &mut Criterion) {
    let batch = batch();
    let mut group = criterion.benchmark_group("walk a batch");
    group.throughput(Throughput::Elements(record::spans(&batch).count() as u64));
    group.bench_function("span_at", |bencher| {
        bencher.iter(|| {
            let (mut at, batch) = (0, black_box(batch.as_slice()));
            while at < batch.len() {
                at = black_box(record::span_at(batch, at).unwrap()).end;
            }
        });
    });
    group.bench_function("body_at", |bencher| {
        bencher.iter(|| {
            let (mut at, batch) = (0, black_box(batch.as_slice()));
            while let Some((body, end)) = record::body_at(batch, at) {
                black_box(body);
                at = end;
            }
        });
    });
    group.finish();
}

fn websocket(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("seal and decode a batch");
    group.throughput(Throughput::Bytes(BATCH as u64));
    for (name, mask, receiver) in [
        ("from a server", None, Role::Client),
        ("from a client, masked", Some([0x37, 0xfa, 0x21, 0x3d]), Role::Server),
    ] {
        let mut decoder = Decoder::new(receiver, 2 * BATCH);
        let mut buffer = vec![7; HEADER_ROOM + BATCH];
        let mut received = BytesMut::with_capacity(2 * BATCH);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let start = seal(&mut buffer, mask);
                // Stands for the socket, which copies too.
                received.extend_from_slice(&buffer[start..]);
                let Some(Event::Binary(message)) = decoder.decode(&mut received).unwrap() else {
                    panic!("a sealed batch is a message");
                };
                assert_eq!(message.len(), BATCH);
                message
            });
        });
    }
    group.finish();
}

/// Short, as the figures vary little.
fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1500))
}

criterion_group! {
    name = benches;
    config = short();
    targets = encode, decode, walk, websocket
}
criterion_main!(benches);
