//! Compiles the protocol's messages, without protoc.

use std::{env, error::Error, path::PathBuf};

const PROTOS: [&str; 4] = [
    "proto/identity.proto",
    "proto/registration.proto",
    "proto/signaling.proto",
    "proto/data.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let descriptors = protox::compile(PROTOS.map(|proto| root.join(proto)), [root.join("proto")])?;
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors)?;
    Ok(())
}
