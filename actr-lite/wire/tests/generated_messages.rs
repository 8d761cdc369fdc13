//! `proto/messages.rs` is what prost-build makes of the proto files.

use std::{env, fs, path::PathBuf};

/// Set to any value, it makes the test write the file anew.
const WRITE: &str = "ACTR_LITE_WRITE_MESSAGES";

#[test]
fn messages_are_generated_from_the_proto_files() {
    // Cargo sets it for a test that runs: a path that was compiled in may be another clone's.
    let proto = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("proto");
    let files = [
        "identity.proto",
        "registration.proto",
        "signaling.proto",
        "webrtc.proto",
        "data.proto",
    ];
    let descriptors = protox::compile(files.map(|file| proto.join(file)), [&proto]).unwrap();
    let generated = tempfile::tempdir().unwrap();
    prost_build::Config::new()
        .bytes(["."])
        .out_dir(generated.path())
        .compile_fds(descriptors)
        .unwrap();
    let generated = fs::read_to_string(generated.path().join("actr_lite.wire.rs")).unwrap();
    let kept = proto.join("messages.rs");
    if env::var_os(WRITE).is_some() {
        fs::write(&kept, &generated).unwrap();
    }
    let is_same = fs::read_to_string(&kept).unwrap() == generated;
    assert!(
        is_same,
        "{} is not what the proto files say: run `{WRITE}=1 cargo test -p actr-lite-wire --test generated_messages`",
        kept.display()
    );
}
