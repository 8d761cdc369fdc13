//! What is left out follows from what is there.

use std::{net::SocketAddr, path::Path};

use actr_lite_manifest::{ConfigOverride, Limits, Manifest, RegistryLimits, Tls, WebRtcMode};

use crate::{LEAST, good};

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
    assert_eq!(manifest.system.webrtc.mode, WebRtcMode::Fallback);
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
fn a_byte_order_mark_and_windows_line_ends_make_no_difference() {
    let text = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(good(&text, &[]), good(LEAST, &[]));
}
