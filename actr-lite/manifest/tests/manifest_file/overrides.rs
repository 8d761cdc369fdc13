//! An override takes the place of what the file says.

use crate::{LEAST, good};

#[test]
fn the_last_override_wins_over_the_file() {
    let manifest = good(
        LEAST,
        &[
            "system.signaling.url=ws://127.0.0.1:1/signaling/ws",
            "system.signaling.url=ws://127.0.0.1:0/signaling/ws",
            "system.signaling.embedded=true",
            "system.websocket.listen=[::1]:0",
            "system.websocket.max_record_bytes=1024",
            "package.name=other",
            "package.tags=[\"a\"]",
            "dependencies.server.actr_type=acme+Server",
            "scripts.run=cargo run",
        ],
    );
    assert_eq!(manifest.system.signaling.url.as_str(), "ws://127.0.0.1:0/signaling/ws");
    assert!(manifest.system.signaling.embedded);
    assert!(manifest.system.websocket.listen.is_ipv6());
    assert_eq!(manifest.system.websocket.max_record_bytes.bytes(), 1024);
    assert_eq!(manifest.package.name, "other");
    assert_eq!(manifest.package.tags, ["a"]);
    assert_eq!(manifest.dependencies["server"].actr_type.name(), "Server");
    assert_eq!(manifest.scripts["run"], "cargo run");
}

#[test]
fn an_override_mends_what_is_missing_or_wrong_in_the_file() {
    let text = LEAST.replace("= 7", "= \"seven\"").replace("edition = 1", "");
    let manifest = good(&text, &["system.deployment.realm_id=7", "edition=1"]);
    assert_eq!(manifest, good(LEAST, &[]));
}
