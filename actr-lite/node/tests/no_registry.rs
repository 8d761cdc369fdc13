//! What a program does that was built without a registry.
#![cfg(not(feature = "registry-host"))]

use actr_lite::{ActrSystem, HostError, StartError};

const ACTR_TOML: &str = r#"
edition = 1
[package]
name = "client"
[package.actr_type]
manufacturer = "acme"
name = "Client"
[system.signaling]
url = "ws://127.0.0.1:0/signaling/ws"
embedded = true
[system.deployment]
realm_id = 1
[system.discovery]
visible = false
"#;

#[tokio::test]
async fn a_node_that_is_to_host_a_registry_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Actr.toml");
    std::fs::write(&path, ACTR_TOML).unwrap();
    let node = ActrSystem::from_toml(&path).unwrap().attach(());
    let Err(error) = node.start().await else {
        panic!("a registry is hosted");
    };
    assert!(matches!(error, StartError::Host(HostError::NotCompiledIn)), "{error:?}");
    let words = error.to_string();
    assert!(
        words.contains("registry-host") && words.contains("embedded = false"),
        "{words}"
    );
}
