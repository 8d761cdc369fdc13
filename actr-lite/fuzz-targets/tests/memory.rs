//! What a parser reserves is in proportion to what it is given. One test alone, as it counts the whole process's memory.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{alloc::System, env, fs, path::Path};

use actr_lite_fuzz_targets::{TARGETS, Target};
use cap::Cap;
use prost::encoding::encode_varint;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// How often an input repeats what takes most memory for its length.
const REPEATS: usize = 10_000;

#[test]
fn memory_grows_no_faster_than_the_input() {
    let mut inputs = dense_inputs();
    inputs.extend(files("seeds"));
    inputs.extend(files("regressions"));
    // The most that there ever was must be in bounds at each step, so the bounds have to rise.
    inputs.sort_by_key(|(target, _, bytes)| target.memory_bound(bytes.len()));
    let at_first = ALLOCATOR.max_allocated().max(ALLOCATOR.allocated());
    for (target, what, bytes) in inputs {
        (target.check)(&bytes);
        let taken = ALLOCATOR.max_allocated() - at_first;
        assert!(
            taken <= target.memory_bound(bytes.len()),
            "{}: {what}: {taken} bytes of memory for {} of input",
            target.name,
            bytes.len()
        );
    }
}

type Input = (Target, String, Vec<u8>);

/// The files of `fuzz/<kind>`.
fn files(kind: &str) -> Vec<Input> {
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let directory = Path::new(&package).join("../../fuzz").join(kind);
    let mut found = Vec::new();
    for target in TARGETS.iter().copied() {
        for entry in fs::read_dir(directory.join(target.name)).into_iter().flatten() {
            let path = entry.unwrap().path();
            found.push((target, path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found
}

/// Short inputs that claim to be long, and long ones of many small parts.
fn dense_inputs() -> Vec<Input> {
    let many = |start: &[u8], part: &[u8]| [start, &part.repeat(REPEATS)].concat();
    let nested = |start: &[u8], part: &[u8]| {
        let mut bytes = start.to_vec();
        encode_varint((part.len() * REPEATS) as u64, &mut bytes);
        many(&bytes, part)
    };
    let array = |part: &str| format!("a =\n[{}]", part.repeat(REPEATS)).into_bytes();
    let tables = (0..REPEATS / 100)
        .map(|number| format!("a{number}.{}b=1\n", "a.".repeat(70)))
        .collect::<String>();
    let keys = (0..REPEATS).map(|number| format!("a{number}=1\n")).collect::<String>();
    [
        ("record", "a record that lies", vec![2, 0xff, 0xff, 0xff, 0xff]),
        ("record", "a payload that lies", vec![0x1a, 0xff, 0xff, 0xff, 0x7f]),
        ("record", "metadata", many(&[0x0a, 1, b'a'], &[0x22, 0])),
        ("record", "records", many(&[], &[131, 0, 0, 0, 0])),
        (
            "websocket",
            "a frame that lies",
            vec![1, 0x82, 127, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff],
        ),
        ("websocket", "fragments", many(&[0x7f, 0x02, 0], &[0x00, 0])),
        ("websocket", "pings", many(&[0x7f], &[0x89, 0])),
        ("envelope", "a payload that lies", vec![0x12, 0xff, 0xff, 0xff, 0x7f]),
        ("envelope", "metadata", many(b"\xb2\x06\x01r\x20\x01", &[0xba, 0x06, 0])),
        ("signaling", "rules", nested(b"r\x22", &[0x0a, 0])),
        ("signaling", "protos", nested(b"r\x1a", &[0x22, 0])),
        ("signaling", "a query", many(b"q", b"&")),
        ("record", "parts of one byte", many(&[0, 2, 0, 0, 1, 0], &[0])),
        ("session", "empty messages", many(&[1], &[0, 0, 0])),
        (
            "session",
            "a part that lies",
            vec![1, 0, 0, 10, 134, 0, 0, 0, 5, 2, 0, 0x3f, 0xff, 0xff],
        ),
        (
            "session",
            "parts",
            many(
                &[1, 0, 0, 10, 134, 0, 0, 0, 5, 2, 0, 0x3f, 0xff, 0xff],
                &[0, 0, 6, 134, 0, 0, 0, 1, 7],
            ),
        ),
        ("registry_session", "connections", many(&[], &[6 << 2])),
        (
            "data_channel",
            "fragments of as many records as may mix",
            (0..8 * 16)
                .flat_map(|number| [number % 8, 0, 8, 0, 0, 0, number, 0, 0, 0, 8])
                .collect(),
        ),
        ("actr_toml", "arrays", array("[],")),
        ("actr_toml", "numbers", array("1,")),
        ("actr_toml", "keys", keys.into_bytes()),
        ("actr_toml", "tables", tables.into_bytes()),
        ("identity", "letters", many(b"", b"a")),
        ("identity", "a path", many(b"ws://h/", b"\x01")),
    ]
    .map(|(target, what, bytes)| (Target::named(target).unwrap(), what.into(), bytes))
    .into()
}
