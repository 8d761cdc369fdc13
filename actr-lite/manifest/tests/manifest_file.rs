//! What an `Actr.toml` says arrives typed, with defaults for what it leaves out and overrides in place of what it says.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{net::SocketAddr, path::Path, time::Duration};

use actr_lite_manifest::{ConfigOverride, Limits, Manifest, ManifestError, RegistryLimits, Tls};
use actr_lite_wire::acl::{Permission, RealmScope};
use proptest::prelude::*;

const LEAST: &str = r#"
edition = 1
package = { name = "echo", actr_type = { manufacturer = "acme", name = "Echo" } }
system.signaling.url = "ws://127.0.0.1:8081/signaling/ws"
system.deployment.realm_id = 7
"#;

fn parse(text: &str, overrides: &[&str]) -> Result<Manifest, ManifestError> {
    let overrides: Vec<ConfigOverride> = overrides.iter().map(|text| text.parse().unwrap()).collect();
    Manifest::parse(text, Path::new("Actr.toml"), &overrides)
}

fn good(text: &str, overrides: &[&str]) -> Manifest {
    parse(text, overrides).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_is_left_out_has_its_default() {
    let manifest = good(LEAST, &[]);
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    assert_eq!(manifest.package.actr_type.to_string(), "acme:Echo:1.0.0");
    assert_eq!(manifest.system.deployment.realm_id, 7);
    assert_eq!(manifest.system.websocket.listen, loopback);
    assert_eq!(manifest.system.websocket.advertised, None);
    assert_eq!(manifest.system.websocket.max_record_bytes.bytes(), 4 << 20);
    assert_eq!(manifest.system.limits, Limits::default());
    assert_eq!(manifest.system.signaling.limits, RegistryLimits::default());
    assert!(!manifest.system.signaling.embedded);
    assert!(manifest.system.discovery.visible);
    assert!(!manifest.system.webrtc.force_relay);
    assert_eq!(manifest.acl, None);
    assert!(manifest.exports.is_empty() && manifest.dependencies.is_empty() && manifest.scripts.is_empty());
}

#[test]
fn the_files_of_tls_are_beside_the_file_that_names_them() {
    let tls = |path: &str, overrides: &[&str]| {
        let overrides: Vec<ConfigOverride> = overrides.iter().map(|text| text.parse().unwrap()).collect();
        Manifest::parse(LEAST, Path::new(path), &overrides).unwrap().system.tls
    };
    assert_eq!(tls("Actr.toml", &[]), Tls::default());
    let files = [
        "system.tls.cert=certs/cert.pem",
        "system.tls.key=/etc/key.pem",
        "system.tls.ca=ca.pem",
    ];
    let beside = tls("server/Actr.toml", &files);
    let identity = beside.identity.unwrap();
    assert_eq!(identity.cert, Path::new("server/certs/cert.pem"));
    assert_eq!(identity.key, Path::new("/etc/key.pem"));
    assert_eq!(beside.ca.unwrap(), Path::new("server/ca.pem"));
    assert_eq!(tls("Actr.toml", &files).ca.unwrap(), Path::new("ca.pem"));
}

#[test]
fn what_is_bound_may_differ_from_what_is_dialled() {
    let signaling = |url: &str, listen: &str| {
        let (url, listen) = (
            format!("system.signaling.url={url}"),
            format!("system.signaling.listen={listen}"),
        );
        good(LEAST, &[&url, &listen, "system.signaling.embedded=true"])
            .system
            .signaling
    };
    for (url, listen) in [
        ("ws://127.0.0.1:8081/signaling/ws", "0.0.0.0:8081"),
        ("ws://127.0.0.1:0/signaling/ws", "0.0.0.0:0"),
        ("ws://node.example:443/signaling/ws", "10.0.0.1:8081"),
        ("ws://[::1]:8082/signaling/ws", "127.0.0.1:8081"),
        ("ws://127.0.0.1:8081/signaling/ws", "[::]:8081"),
    ] {
        assert_eq!(signaling(url, listen).listen, Some(listen.parse().unwrap()), "{url}");
    }
    assert_eq!(good(LEAST, &[]).system.signaling.listen, None);
}

#[test]
fn addresses_may_ask_for_tls() {
    let wss = "system.signaling.url=wss://127.0.0.1:0/signaling/ws";
    let certified = [
        "system.tls.cert=c",
        "system.tls.key=k",
        "system.signaling.embedded=true",
        wss,
    ];
    let system = good(LEAST, &certified).system;
    assert!(system.signaling.url.is_tls());
    let system = good(
        LEAST,
        &[
            "system.websocket.listen=127.0.0.1:9000",
            "system.websocket.advertised=wss://example.org",
        ],
    )
    .system;
    assert_eq!(
        system.websocket.advertised.unwrap().port(),
        443,
        "somebody else may speak TLS for it"
    );
}

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
stun_urls = ["stun:example.org:3478"]
turn_urls = ["turn:example.org:3478"]
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
    assert_eq!(system.webrtc.stun_urls, ["stun:example.org:3478"]);
    assert_eq!(system.webrtc.turn_urls, ["turn:example.org:3478"]);
    assert!(system.webrtc.force_relay);
    let rules = &manifest.acl.as_ref().unwrap().rules;
    assert_eq!(rules[0].permission, Permission::Allow);
    assert_eq!(rules[0].types[1].to_string(), "acme:B:2");
    assert_eq!(rules[0].realm, RealmScope::Own);
    assert_eq!(rules[1].permission, Permission::Deny);
    assert_eq!(manifest.scripts["run"], "cargo run");
}

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

#[test]
fn a_byte_order_mark_and_windows_line_ends_make_no_difference() {
    let text = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(good(&text, &[]), good(LEAST, &[]));
}

/// Text that often gets past the TOML parser.
fn near_toml() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("edition"),
        Just("exports"),
        Just("package"),
        Just("package.actr_type"),
        Just("system.signaling.url"),
        Just("system.websocket.listen"),
        Just("dependencies.a"),
        Just("acl"),
        Just("acl.rules"),
        Just("rules"),
        Just("'\\n'"),
        Just("scripts"),
        Just("url"),
        Just("x"),
    ];
    let value = prop_oneof![
        Just("1"),
        Just("-0x1"),
        Just("0xffffffffffffffffffffffffffffffffff"),
        Just("[]"),
        Just("{}"),
        Just("[{}]"),
        Just("[[1]]"),
        Just("'ws://h/signaling/ws'"),
        Just("nan"),
        Just("1979-05-27"),
        Just("\"\\u0000\\n\""),
        Just("{ x.y = [true] }"),
    ];
    let line = prop_oneof![
        (key.clone(), value).prop_map(|(key, value)| format!("{key} = {value}")),
        key.clone().prop_map(|key| format!("[{key}]")),
        key.prop_map(|key| format!("[[{key}]]")),
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(?s).{0,200}") {
        if let Err(error) = parse(&text, &[]) {
            prop_assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn no_toml_makes_the_reader_panic(text in near_toml()) {
        if let Err(error) = parse(&text, &[]) {
            prop_assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn no_override_makes_the_reader_panic(key in "[a-z.'\"]{1,12}|system\\.signaling\\.[a-z]{1,8}", value in "(?s).{0,30}") {
        let Ok(config_override) = format!("{key}={value}").parse::<ConfigOverride>() else {
            return Ok(());
        };
        if let Err(error) = Manifest::parse(LEAST, Path::new("Actr.toml"), &[config_override]) {
            prop_assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}
