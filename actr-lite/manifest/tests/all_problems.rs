//! Everything that is wrong in an `Actr.toml` is found at once.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::path::Path;

use actr_lite_manifest::{ConfigOverride, Manifest, Problems};
use insta::assert_snapshot;

/// What is wrong with a text, one problem a line.
fn problems(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<ConfigOverride> = overrides.iter().map(|text| text.parse().unwrap()).collect();
    let problems = Manifest::parse(text, Path::new("Actr.toml"), &overrides).unwrap_err();
    problems.to_string()
}

#[test]
fn each_wrong_key_and_value_is_told_in_its_place() {
    let text = r#"edition = 1
exports = ["a.proto", 7, "b.txt"]
unknown = 1

[package]
nam = "echo"

[package.actr_type]
manufacturer = "acme"
name = "no name at all"

[dependencies]
one = { actr_type = "acme+One", version = 1 }
two = "acme+Two"
three = {}

[system.signaling]
url = "http://127.0.0.1:8081/"
embedded = "yes"

[system.websocket]
listen = "nowhere"
max_record_bytes = 99999999999999999999999999999999999999999999

[system.deployment]
realm_id = -1

[acl]
rules = [{ permission = "maybe", types = [] }, { permission = "allow", types = ["acme+Client"], realm = "all" }]
"#;
    let overrides = ["system.limits.max_streams=0", "system.tls.cert=cert.pem"];
    assert_snapshot!(problems(text, &overrides), @r#"
    Actr.toml:2:23: exports: expected a string in quotes, found the number 7
    Actr.toml:2:26: exports = "b.txt": not the path of a .proto file
    Actr.toml:3:1: unknown key unknown: known keys here are edition, exports, package, dependencies, system, acl, scripts
    Actr.toml:6:1: unknown key package.nam: did you mean package.name?
    Actr.toml:10:8: package.actr_type.name = "no name at all": a name is 1 to 32 letters, digits, '.', '_' and '-', begins with a letter and doesn't end with a sign
    Actr.toml:5:2: package.name is missing: add name = "stream-echo-server" to [package]
    Actr.toml:14:7: dependencies.two: expected a table like { actr_type = "acme+StreamEchoServer" }, found the string "acme+Two"
    Actr.toml:13:33: unknown key dependencies.one.version: did you mean package.actr_type.version?
    Actr.toml:15:1: dependencies.three.actr_type is missing: add actr_type = "acme+StreamEchoServer" to [dependencies.three]
    Actr.toml:18:7: system.signaling.url = "http://127.0.0.1:8081/": the scheme is http: write ws://host:port/signaling/ws, or wss:// with TLS
    Actr.toml:19:12: system.signaling.embedded: expected true or false, found the string "yes"
    Actr.toml:22:10: system.websocket.listen = "nowhere": not an IP address and port: write 127.0.0.1:0 or [::1]:0, where port 0 is any free one
    Actr.toml:23:20: not valid TOML: the number is out of range
    Actr.toml:26:12: system.deployment.realm_id: expected a whole number from 0 to 4294967295, found the number -1
    --config system.limits.max_streams=0: system.limits.max_streams = 0: it has to be from 1 to 1048576
    --config system.tls.cert=cert.pem: system.tls.key is missing: add key = "certs/key.pem" to [system.tls]
    Actr.toml:29:25: acl.rules.permission = "maybe": a permission is "allow" or "deny"
    Actr.toml:29:105: acl.rules.realm = "all": a realm is a realm's number, "self" or "*"
    "#);
}

#[test]
fn each_missing_section_is_told() {
    assert_snapshot!(problems("edition = 1", &[]), @r#"
    Actr.toml: package.name is missing: add a section [package] with name = "stream-echo-server"
    Actr.toml: package.actr_type.manufacturer is missing: add a section [package.actr_type] with manufacturer = "acme"
    Actr.toml: system.signaling.url is missing: add a section [system.signaling] with url = "ws://127.0.0.1:8081/signaling/ws"
    Actr.toml: system.deployment.realm_id is missing: add a section [system.deployment] with realm_id = 1
    "#);
}

#[test]
fn rules_about_several_keys_are_told_together() {
    let text = r#"edition = 1
[package]
name = "echo"
actr_type = { manufacturer = "acme", name = "Echo" }
[system.signaling]
url = "ws://127.0.0.1:0/signaling/ws"
realms = ""
[system.websocket]
listen = "0.0.0.0:1"
[system.deployment]
realm_id = 1
realm_secret_file = ""
"#;
    assert_snapshot!(problems(text, &[]), @r#"
    Actr.toml:6:7: system.signaling.url = "ws://127.0.0.1:0/signaling/ws": port 0 is for a registry in this process, which embedded = true makes: write the registry's port
    Actr.toml:9:10: system.websocket.listen = "0.0.0.0:1": nobody can dial this address: add advertised = "ws://HOST:PORT" (wss:// with TLS) with an address that others reach
    Actr.toml:7:10: system.signaling.realms = "": write the path of a file with a line like 1 = "secret" for each realm
    Actr.toml:12:21: system.deployment.realm_secret_file = "": write the path of a file with the realm's secret
    "#);
}

#[test]
fn another_edition_and_text_that_is_no_toml_hide_the_rest() {
    assert_eq!(problems("edition = 2\nother = 1", &[]).lines().count(), 1);
    assert_eq!(problems("edition = 1\nother 1\nanother = 1", &[]).lines().count(), 1);
}

#[test]
fn only_so_many_problems_are_told() {
    let keys: Vec<_> = (0..10_000).map(|number| format!("key{number} = 1\n")).collect();
    assert_eq!(problems(&keys.concat(), &[]).lines().count(), 100);
}

#[test]
fn problems_of_two_checks_are_joined_in_their_order() {
    let failed = |problems: [u8; 2]| Problems::or_value(problems, ());
    let joined = Problems::both(failed([1, 2]), failed([3, 4])).unwrap_err();
    assert_eq!(joined.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(Problems::both(Ok::<_, Problems<u8>>('a'), Ok('b')).unwrap(), ('a', 'b'));
}
