//! Every key is read.

use std::time::Duration;

use actr_lite_manifest::{Limits, RegistryLimits, WebRtcMode};
use actr_lite_wire::acl::{Permission, RealmScope};

use crate::{LEAST, good};

#[test]
fn every_limit_is_read() {
    let text = format!(
        r#"{LEAST}
[system.limits]
max_connections = 1
max_connections_per_peer = 2
max_streams = 3
max_streams_per_peer = 4
max_subscriptions = 5
max_calls = 6
max_calls_per_peer = 7
max_bytes = 4096
max_bytes_per_peer = 1024
max_other_realms = 3
max_metadata_bytes = 256
header_timeout = 8
idle_timeout = "1h 30min"
stall_timeout = "2min"
[system.signaling.limits]
max_connections = 10
max_connections_per_address = 12
max_connections_per_realm = 13
max_nodes = 11
max_nodes_per_address = 15
max_nodes_per_realm = 14
max_stored_bytes = 2048
max_stored_bytes_per_address = 1536
max_stored_bytes_per_realm = 1024
max_in_flight_bytes = 8192
max_body_bytes = 4096
header_timeout = "250ms"
"#
    );
    let text = text.replace(
        "system.signaling.url = \"ws://127.0.0.1:8081/signaling/ws\"\nsystem.deployment.realm_id = 7",
        "[system.signaling]\nurl = \"ws://127.0.0.1:8081/signaling/ws\"\n[system.deployment]\nrealm_id = 7",
    );
    let system = good(&text, &["system.limits.max_streams=1048576"]).system;
    let Limits {
        max_connections,
        max_connections_per_peer,
        max_streams,
        max_streams_per_peer,
        max_subscriptions,
        max_calls,
        max_calls_per_peer,
        max_bytes,
        max_bytes_per_peer,
        max_other_realms,
        max_metadata_bytes,
        header_timeout,
        idle_timeout,
        stall_timeout,
    } = system.limits;
    let counts = [
        max_connections,
        max_connections_per_peer,
        max_streams,
        max_streams_per_peer,
        max_subscriptions,
        max_calls,
        max_calls_per_peer,
    ];
    assert_eq!(counts.map(|count| count.get()), [1, 2, 1_048_576, 4, 5, 6, 7]);
    let bytes = [max_bytes, max_bytes_per_peer].map(|bytes| bytes.unwrap().get());
    assert_eq!((bytes, max_metadata_bytes.get()), ([4096, 1024], 256));
    assert_eq!(max_other_realms.get(), 3);
    assert_eq!(stall_timeout.duration(), Duration::from_secs(120));
    assert_eq!(header_timeout.duration(), Duration::from_secs(8));
    assert_eq!(idle_timeout.duration(), Duration::from_secs(5400));
    let RegistryLimits {
        max_connections,
        max_connections_per_address,
        max_connections_per_realm,
        max_nodes,
        max_nodes_per_address,
        max_nodes_per_realm,
        max_stored_bytes,
        max_stored_bytes_per_address,
        max_stored_bytes_per_realm,
        max_in_flight_bytes,
        max_body_bytes,
        header_timeout,
    } = system.signaling.limits;
    let counts = [
        max_connections,
        max_nodes,
        max_connections_per_address,
        max_connections_per_realm,
        max_nodes_per_realm,
        max_nodes_per_address,
    ];
    assert_eq!(counts.map(|count| count.unwrap().get()), [10, 11, 12, 13, 14, 15]);
    let bytes = [
        max_stored_bytes,
        max_stored_bytes_per_address,
        max_stored_bytes_per_realm,
        max_in_flight_bytes,
        max_body_bytes,
    ];
    assert_eq!(bytes.map(|bytes| bytes.unwrap().get()), [2048, 1536, 1024, 8192, 4096]);
    assert_eq!(header_timeout.unwrap().duration(), Duration::from_millis(250));
}

#[test]
fn every_key_is_read() {
    let text = r#"
edition = 1
exports = ["../protos/a.proto", "b.proto"]
[package]
name = "echo"
description = "Echoes"
authors = ["A", "B"]
license = "MIT"
tags = ["t"]
[package.actr_type]
manufacturer = "acme"
name = "Echo"
version = "2.0.0"
[dependencies]
server = { actr_type = "acme+Server" }
"another one" = { actr_type = "acme:Other:3" }
[system.signaling]
url = "ws://[::1]:0/signaling/ws"
embedded = true
[system.websocket]
listen = "0.0.0.0:9000"
advertised = "ws://example.org:9001"
max_record_bytes = 0x10_0000
[system.deployment]
realm_id = 4294967295
[system.discovery]
visible = false
[system.webrtc]
mode = "prefer"
stun_urls = ["stun:example.org:3478"]
turn_urls = ["turns:example.org"]
turn_username = "node"
turn_password_file = "password"
force_relay = true
[[acl.rules]]
permission = "allow"
types = ["acme+A", "acme:B:2"]
[[acl.rules]]
permission = "DENY"
types = []
[scripts]
run = "cargo run"
"#;
    let manifest = good(text, &[]);
    let system = &manifest.system;
    assert!(manifest.exports_proto("a.proto") && manifest.exports_proto("b.proto"));
    assert!(!manifest.exports_proto("protos/a.proto") && !manifest.exports_proto("c.proto"));
    assert_eq!(manifest.package.description.as_deref(), Some("Echoes"));
    assert_eq!(manifest.package.authors, ["A", "B"]);
    assert_eq!(manifest.package.license.as_deref(), Some("MIT"));
    assert_eq!(manifest.package.tags, ["t"]);
    assert_eq!(manifest.package.actr_type.to_string(), "acme:Echo:2.0.0");
    assert_eq!(
        manifest.dependencies["server"].actr_type.to_string(),
        "acme:Server:1.0.0"
    );
    assert_eq!(
        manifest.dependencies["another one"].actr_type.to_string(),
        "acme:Other:3"
    );
    assert_eq!(system.signaling.url.authority(), "[::1]:0");
    assert!(system.signaling.embedded);
    assert_eq!(system.websocket.listen.port(), 9000);
    assert_eq!(
        system.websocket.advertised.as_ref().unwrap().authority(),
        "example.org:9001"
    );
    assert_eq!(system.websocket.max_record_bytes.bytes(), 1 << 20);
    assert_eq!(system.deployment.realm_id, u32::MAX);
    assert!(!system.discovery.visible);
    assert_eq!(system.webrtc.stun_urls, ["stun:example.org:3478".parse().unwrap()]);
    assert_eq!(system.webrtc.turn_urls, ["turns:example.org:5349".parse().unwrap()]);
    assert_eq!(system.webrtc.turn_username.as_deref(), Some("node"));
    assert!(system.webrtc.turn_password_file.as_ref().unwrap().ends_with("password"));
    assert_eq!(system.webrtc.mode, WebRtcMode::Prefer);
    assert!(system.webrtc.force_relay);
    let rules = &manifest.acl.as_ref().unwrap().rules;
    assert_eq!(rules[0].permission, Permission::Allow);
    assert_eq!(rules[0].types[1].to_string(), "acme:B:2");
    assert_eq!(rules[0].realm, RealmScope::Own);
    assert_eq!(rules[1].permission, Permission::Deny);
    assert_eq!(manifest.scripts["run"], "cargo run");
}
