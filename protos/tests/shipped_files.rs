//! The files that the server and the client ship with say what their programs need.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{
    env,
    path::{Path, PathBuf},
};

use actr_lite_manifest::{ContractFingerprint, Lock, Manifest, Timestamp, UpdateCommand};

/// The digest of the canonical form of `stream_server.proto`.
const STREAM_SERVER_PROTO: &str = "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355";

fn workspace() -> PathBuf {
    Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("..")
}

fn manifest(package: &str) -> Manifest {
    Manifest::load(&workspace().join(package).join("Actr.toml"), &[]).unwrap()
}

fn lock(package: &str) -> Lock {
    let actr_toml = workspace().join(package).join("Actr.toml");
    Lock::load(
        &Lock::path_beside(&actr_toml),
        &UpdateCommand::new("client", &actr_toml),
    )
    .unwrap()
}

#[test]
fn the_server_hosts_a_registry_and_exports_its_service() {
    let server = manifest("server");
    assert_eq!(server.package.actr_type.to_string(), "acme:StreamEchoServer:1.0.0");
    assert!(server.system.signaling.embedded);
    assert!(server.system.discovery.visible);
    assert!(server.exports_proto("stream_server.proto"));
    assert!(!server.exports_proto("stream_client.proto"));
    assert_eq!(server.acl, None);
    for export in &server.exports {
        let path = workspace().join("server").join(export);
        assert!(path.is_file(), "{}", path.display());
    }
}

#[test]
fn the_client_finds_the_servers_registry_and_exports_nothing() {
    let (server, client) = (manifest("server"), manifest("client"));
    assert_eq!(client.package.actr_type.to_string(), "acme:StreamEchoClient:1.0.0");
    assert_eq!(client.dependencies["server"].actr_type, server.package.actr_type);
    assert_eq!(client.system.signaling.url, server.system.signaling.url);
    assert_eq!(client.system.deployment, server.system.deployment);
    assert!(!client.system.signaling.embedded);
    assert!(!client.system.discovery.visible);
    assert!(client.exports.is_empty());
}

#[test]
fn the_clients_lock_holds_the_servers_contract() {
    let client = lock("client");
    let server_type = &manifest("server").package.actr_type;
    let dependency = client.dependency(server_type).unwrap();
    assert_eq!(
        dependency.fingerprint,
        ContractFingerprint::of([("stream_server.proto", STREAM_SERVER_PROTO)])
    );
    assert_eq!(dependency.files.len(), 1);
    assert_eq!(dependency.files[0].fingerprint.digits(), STREAM_SERVER_PROTO);
    assert!(lock("server").dependencies().is_empty());
}

#[test]
fn the_locks_read_as_if_just_written() {
    for package in ["server", "client"] {
        let path = Lock::path_beside(&workspace().join(package).join("Actr.toml"));
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(lock(package).to_string(), text);
    }
    let epoch = Timestamp::from_unix_seconds(0);
    assert!(Lock::new(epoch).to_string().contains("version = 1"));
}
