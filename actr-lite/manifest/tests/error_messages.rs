//! What is wrong in an `Actr.toml` is said in one line: where, which key, what is expected, what was found, what to do.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{fs, path::Path};

use actr_lite_manifest::{ConfigOverride, MAX_FILE_LEN, Manifest};
use insta::assert_snapshot;

/// A whole manifest; tests replace parts of it.
const GOOD: &str = r#"edition = 1
exports = ["protos/echo.proto"]

[package]
name = "echo"
authors = ["A. Nonymous"]

[package.actr_type]
manufacturer = "acme"
name = "Echo"

[dependencies]
server = { actr_type = "acme+StreamEchoServer" }

[system.signaling]
url = "ws://127.0.0.1:8081/signaling/ws"

[system.websocket]
listen = "127.0.0.1:0"

[system.deployment]
realm_id = 1

[acl]
rules = [{ permission = "allow", types = ["acme+Client"] }]

[scripts]
run = "cargo run"
"#;

fn error(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<ConfigOverride> = overrides.iter().map(|text| text.parse().unwrap()).collect();
    Manifest::parse(text, Path::new("server/Actr.toml"), &overrides)
        .unwrap_err()
        .into_first()
        .to_string()
}

/// The error of the good manifest with something else in one place.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    error(&GOOD.replacen(old, new, 1), &[])
}

#[test]
fn nothing_is_wrong_with_the_good_one() {
    Manifest::parse(GOOD, Path::new("server/Actr.toml"), &[]).unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Actr.toml");
    let load = || {
        let message = Manifest::load(&path, &[]).unwrap_err().into_first().to_string();
        message.replace(&directory.path().display().to_string(), "server")
    };
    assert_snapshot!(load(), @"server/Actr.toml: no such file: give the path of an Actr.toml with --actr-toml");
    fs::write(&path, b"edition = 1\nname = \"J\xfcrgen\"").unwrap();
    assert_snapshot!(load(), @"server/Actr.toml:2:10: not UTF-8 from here on: save the file as UTF-8 text");
    fs::write(&path, vec![b' '; MAX_FILE_LEN + 1]).unwrap();
    assert_snapshot!(load(), @"server/Actr.toml: larger than 1048576 bytes, the most that is read: is this the right file?");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_snapshot!(load(), @"server/Actr.toml: a directory: give the path of the file in it, like server/Actr.toml/Actr.toml");
}

#[test]
fn text_that_is_no_toml_is_refused_where_it_stops_being_toml() {
    assert_snapshot!(with("realm_id = 1", "realm_id = one"), @r#"server/Actr.toml:22:12: not valid TOML: string values must be quoted, expected literal string, found "one""#);
    assert_snapshot!(with("realm_id = 1", "realm_id ="), @"server/Actr.toml:22:11: not valid TOML: string values must be quoted, expected literal string");
    assert_snapshot!(with("realm_id = 1", "realm_id"), @"server/Actr.toml:22:9: not valid TOML: key with no value, expected `=`");
    assert_snapshot!(with("[acl]", "[acl"), @"server/Actr.toml:24:5: not valid TOML: unclosed table, expected `]`");
    assert_snapshot!(with("\"cargo run\"", "\"cargo run"), @r#"server/Actr.toml:28:17: not valid TOML: invalid basic string, expected `"`"#);
    assert_snapshot!(with("[scripts]", "[package]"), @r#"server/Actr.toml:27:2: not valid TOML: duplicate key, found "package""#);
    assert_snapshot!(with("[acl]", "realm_id = 2\n[acl]"), @r#"server/Actr.toml:24:1: not valid TOML: duplicate key, found "realm_id""#);
    assert_snapshot!(with("realm_id = 1", "realm_id = 1_000_000_000_000_000_000_000_000_000_000_000_000_000_000"), @"server/Actr.toml:22:12: not valid TOML: the number is out of range");
    assert_snapshot!(error(&format!("x = {}", "[".repeat(10_000)), &[]), @r#"server/Actr.toml:1:85: not valid TOML: cannot recurse further; max recursion depth met, found "[""#);
}

#[test]
fn a_host_with_more_than_a_name_or_an_address_is_refused() {
    for host in ["http://node.example", "node.example:80", "", "*.example"] {
        let error = with("listen =", &format!("allowed_hosts = [\"{host}\"]\nlisten ="));
        assert!(error.starts_with("server/Actr.toml:19:"), "{error}");
        assert!(error.contains("write a name or an IP address"), "{error}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_snapshot!(with("url =", "ulr ="), @"server/Actr.toml:16:1: unknown key system.signaling.ulr: did you mean system.signaling.url?");
    assert_snapshot!(with("system.signaling", "system.signalling"), @"server/Actr.toml:15:9: unknown key system.signalling: did you mean system.signaling?");
    assert_snapshot!(with("[package]", "[pakage]"), @"server/Actr.toml:4:2: unknown key pakage: did you mean package?");
    assert_snapshot!(with("authors", "Author"), @"server/Actr.toml:6:1: unknown key package.Author: did you mean package.authors?");
    assert_snapshot!(with("manufacturer", "manufacturor"), @"server/Actr.toml:9:1: unknown key package.actr_type.manufacturor: did you mean package.actr_type.manufacturer?");
    assert_snapshot!(with("{ actr_type", "{ actrtype"), @"server/Actr.toml:13:12: unknown key dependencies.server.actrtype: did you mean dependencies.server.actr_type?");
    assert_snapshot!(with("permission", "permissions"), @"server/Actr.toml:25:12: unknown key acl.rules.permissions: did you mean acl.rules.permission?");
    assert_snapshot!(with("edition = 1", "edtion = 1"), @"server/Actr.toml:1:1: unknown key edtion: did you mean edition?");
}

#[test]
fn an_unknown_key_that_belongs_elsewhere_is_refused_with_where() {
    assert_snapshot!(with("authors", "realm_id = 1\nauthors"), @"server/Actr.toml:6:1: unknown key package.realm_id: did you mean system.deployment.realm_id?");
    assert_snapshot!(with("[system.deployment]", "[system]"), @"server/Actr.toml:22:1: unknown key system.realm_id: did you mean system.deployment.realm_id?");
}

#[test]
fn an_unknown_key_unlike_any_other_lists_the_known_ones() {
    assert_snapshot!(with("[acl]", "[weather]"), @"server/Actr.toml:24:2: unknown key weather: known keys here are edition, exports, package, dependencies, system, acl, scripts");
    assert_snapshot!(with("listen =", "'the \"place\"\\n' ="), @r#"server/Actr.toml:19:1: unknown key system.websocket."the \"place\"\\n": known keys here are listen, advertised, allowed_hosts, max_record_bytes"#);
}

#[test]
fn the_first_unknown_key_of_the_file_is_the_one_that_is_named() {
    assert_snapshot!(with("name = \"echo\"", "zzz = 1\naaa = 1"), @"server/Actr.toml:5:1: unknown key package.zzz: known keys here are name, description, authors, license, tags, actr_type");
}

#[test]
fn a_missing_key_is_asked_for_with_a_line_that_would_do() {
    assert_snapshot!(with("edition = 1\n", ""), @"server/Actr.toml:1:1: edition is missing: add edition = 1 above the first section");
    assert_snapshot!(with("name = \"echo\"\n", ""), @r#"server/Actr.toml:4:2: package.name is missing: add name = "stream-echo-server" to [package]"#);
    assert_snapshot!(with("name = \"Echo\"\n", ""), @r#"server/Actr.toml:8:10: package.actr_type.name is missing: add name = "StreamEchoServer" to [package.actr_type]"#);
    assert_snapshot!(with("url = \"ws://127.0.0.1:8081/signaling/ws\"\n", ""), @r#"server/Actr.toml:15:9: system.signaling.url is missing: add url = "ws://127.0.0.1:8081/signaling/ws" to [system.signaling]"#);
    assert_snapshot!(with("[system.deployment]\nrealm_id = 1\n", ""), @"server/Actr.toml: system.deployment.realm_id is missing: add a section [system.deployment] with realm_id = 1");
    assert_snapshot!(with("actr_type = \"acme+StreamEchoServer\"", ""), @r#"server/Actr.toml:13:1: dependencies.server.actr_type is missing: add actr_type = "acme+StreamEchoServer" to [dependencies.server]"#);
    assert_snapshot!(with(", types = [\"acme+Client\"]", ""), @r#"server/Actr.toml:25:10: acl.rules.types is missing: add types = ["acme+StreamEchoClient"] to [acl.rules]"#);
    assert_snapshot!(error("", &[]), @"server/Actr.toml:1:1: edition is missing: add edition = 1 above the first section");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_the_right_one() {
    assert_snapshot!(with("edition = 1", "edition = \"1\""), @r#"server/Actr.toml:1:11: edition: expected the number 1, found the string "1""#);
    assert_snapshot!(with("realm_id = 1", "realm_id = \"one\""), @r#"server/Actr.toml:22:12: system.deployment.realm_id: expected a whole number from 0 to 4294967295, found the string "one""#);
    assert_snapshot!(with("realm_id = 1", "realm_id = -1"), @"server/Actr.toml:22:12: system.deployment.realm_id: expected a whole number from 0 to 4294967295, found the number -1");
    assert_snapshot!(with("realm_id = 1", "realm_id = 0x1_0000_0000"), @"server/Actr.toml:22:12: system.deployment.realm_id: expected a whole number from 0 to 4294967295, found the number 4294967296");
    assert_snapshot!(with("name = \"echo\"", "name = 1.50"), @"server/Actr.toml:5:8: package.name: expected a string in quotes, found the number 1.50");
    assert_snapshot!(with("[\"A. Nonymous\"]", "\"A. Nonymous\""), @r#"server/Actr.toml:6:11: package.authors: expected an array of strings, found the string "A. Nonymous""#);
    assert_snapshot!(with("[\"A. Nonymous\"]", "[\"A. Nonymous\",\n  2026-01-02]"), @"server/Actr.toml:7:3: package.authors: expected a string in quotes, found the date 2026-01-02");
    assert_snapshot!(with("url =", "embedded = \"yes\"\nurl ="), @r#"server/Actr.toml:16:12: system.signaling.embedded: expected true or false, found the string "yes""#);
    assert_snapshot!(with("{ actr_type = \"acme+StreamEchoServer\" }", "\"acme+StreamEchoServer\""), @r#"server/Actr.toml:13:10: dependencies.server: expected a table like { actr_type = "acme+StreamEchoServer" }, found the string "acme+StreamEchoServer""#);
    assert_snapshot!(with("[{ permission = \"allow\", types = [\"acme+Client\"] }]", "[\"allow\"]"), @r#"server/Actr.toml:25:10: acl.rules: expected a table like { permission = "allow", types = ["acme+StreamEchoClient"] }, found the string "allow""#);
    assert_snapshot!(with("\"cargo run\"", "[\"cargo\", \"run\"]"), @"server/Actr.toml:28:7: scripts.run: expected a string in quotes, found an array");
    assert_snapshot!(with("[acl]\nrules =", "[[acl]]\nrules ="), @"server/Actr.toml:24:1: acl: expected a table, found an array");
}

#[test]
fn a_value_that_means_nothing_is_refused_with_what_would() {
    assert_snapshot!(with("edition = 1", "edition = 2"), @"server/Actr.toml:1:11: edition = 2: this runtime reads edition 1: write edition = 1");
    assert_snapshot!(with("protos/echo.proto", "protos"), @r#"server/Actr.toml:2:12: exports = "protos": not the path of a .proto file"#);
    assert_snapshot!(with("\"echo\"", "\"\""), @r#"server/Actr.toml:5:8: package.name = "": a package has a name: write one"#);
    assert_snapshot!(with("\"acme\"", "\"acme inc\""), @r#"server/Actr.toml:9:16: package.actr_type.manufacturer = "acme inc": a manufacturer is 1 to 32 letters, digits, '.', '_' and '-', begins with a letter and doesn't end with a sign"#);
    assert_snapshot!(with("\"Echo\"", "\"Echo-\""), @r#"server/Actr.toml:10:8: package.actr_type.name = "Echo-": a name is 1 to 32 letters, digits, '.', '_' and '-', begins with a letter and doesn't end with a sign"#);
    assert_snapshot!(with("\"Echo\"", "\"Echo\"\nversion = \"\""), @r#"server/Actr.toml:11:11: package.actr_type.version = "": a version is a short word like 1.0.0, without ':', '/' and '@'"#);
    assert_snapshot!(with("acme+StreamEchoServer", "StreamEchoServer"), @r#"server/Actr.toml:13:24: dependencies.server.actr_type = "StreamEchoServer": an actor type is manufacturer+name or manufacturer:name:version"#);
    assert_snapshot!(with("\"allow\"", "\"alow\""), @r#"server/Actr.toml:25:25: acl.rules.permission = "alow": a permission is "allow" or "deny""#);
    assert_snapshot!(with("acme+Client", "*"), @r#"server/Actr.toml:25:43: acl.rules.types = "*": an actor type is manufacturer+name or manufacturer:name:version"#);
}

#[test]
fn an_address_that_leads_nowhere_is_refused_with_what_would() {
    assert_snapshot!(with("ws://127.0.0.1:8081", "http://127.0.0.1:8081"), @r#"server/Actr.toml:16:7: system.signaling.url = "http://127.0.0.1:8081/signaling/ws": the scheme is http: write ws://host:port/signaling/ws, or wss:// with TLS"#);
    assert_snapshot!(with("ws://127.0.0.1:8081", "ws://127.0.0.1:808100"), @r#"server/Actr.toml:16:7: system.signaling.url = "ws://127.0.0.1:808100/signaling/ws": not a URL (invalid port number): write ws://host:port/signaling/ws, or wss:// with TLS"#);
    assert_snapshot!(with("ws://127.0.0.1:8081", "127.0.0.1:8081"), @r#"server/Actr.toml:16:7: system.signaling.url = "127.0.0.1:8081/signaling/ws": not a URL (relative URL without a base): write ws://host:port/signaling/ws, or wss:// with TLS"#);
    assert_snapshot!(with("8081/signaling/ws", "8081/ws"), @r#"server/Actr.toml:16:7: system.signaling.url = "ws://127.0.0.1:8081/ws": the path is /ws: write ws://host:port/signaling/ws, or wss:// with TLS"#);
    assert_snapshot!(with("signaling/ws", "signaling/ws?a=b"), @r#"server/Actr.toml:16:7: system.signaling.url = "ws://127.0.0.1:8081/signaling/ws?a=b": a query has no meaning here: write ws://host:port/signaling/ws, or wss:// with TLS"#);
    assert_snapshot!(with("127.0.0.1:8081", "127.0.0.1:0"), @r#"server/Actr.toml:16:7: system.signaling.url = "ws://127.0.0.1:0/signaling/ws": port 0 is for a registry in this process, which embedded = true makes: write the registry's port"#);
    assert_snapshot!(with("\"127.0.0.1:0\"", "\"localhost:0\""), @r#"server/Actr.toml:19:10: system.websocket.listen = "localhost:0": not an IP address and port: write 127.0.0.1:0 or [::1]:0, where port 0 is any free one"#);
    assert_snapshot!(with("\"127.0.0.1:0\"", "\"0.0.0.0:9000\""), @r#"server/Actr.toml:19:10: system.websocket.listen = "0.0.0.0:9000": nobody can dial this address: add advertised = "ws://HOST:PORT" (wss:// with TLS) with an address that others reach"#);
    assert_snapshot!(with("\"127.0.0.1:0\"", "\"127.0.0.1:0\"\nadvertised = \"ws://example.org:0\""), @r#"server/Actr.toml:20:14: system.websocket.advertised = "ws://example.org:0": nobody can dial port 0: write the port that others reach this node at"#);
}

#[test]
fn a_listener_that_nobody_would_find_is_refused() {
    let refused = |keys: &[&str]| error(GOOD, keys);
    let registry = |url: &str, listen: &str| {
        let (url, listen) = (
            format!("system.signaling.url={url}"),
            format!("system.signaling.listen={listen}"),
        );
        refused(&[&url, &listen, "system.signaling.embedded=true"])
    };
    let lane = |listen: &str, advertised: &str| {
        let listen = format!("system.websocket.listen={listen}");
        refused(&[&listen, &format!("system.websocket.advertised={advertised}")])
    };
    for (error, words) in [
        (
            refused(&["system.signaling.listen=127.0.0.1:1"]),
            "only a registry in this process listens",
        ),
        (
            registry("ws://127.0.0.1:1/signaling/ws", "127.0.0.1:0"),
            "write the same port in both",
        ),
        (
            registry("ws://[::1]:1/signaling/ws", "127.0.0.1:1"),
            "nobody who dials the host of url gets here",
        ),
        (
            registry("ws://[::1]:0/signaling/ws", "0.0.0.0:0"),
            "nobody who dials the host of url gets here",
        ),
        (
            registry("ws://0.0.0.0:1/signaling/ws", "0.0.0.0:1"),
            "nobody can dial this address",
        ),
        (
            refused(&[
                "system.signaling.url=wss://0.0.0.0:1/signaling/ws",
                "system.signaling.embedded=true",
                "system.tls.cert=cert.pem",
                "system.tls.key=key.pem",
            ]),
            "nobody can dial this address",
        ),
        (
            registry("ws://[fe80::1]:1/signaling/ws", "[::]:1"),
            "nobody can dial this address",
        ),
        (
            lane("0.0.0.0:9000", "ws://0.0.0.0:9000"),
            "nobody can dial this address",
        ),
        (lane("[::]:9000", "ws://[::]:9000"), "nobody can dial this address"),
        (
            lane("127.0.0.1:0", "ws://127.0.0.1:9000"),
            "nobody listens at this port while [system.websocket] listen has port 0",
        ),
        (
            lane("127.0.0.1:9000", "ws://[::1]:9000"),
            "nobody who dials this host gets to",
        ),
        (
            refused(&["system.websocket.listen=[fe80::1%1]:9000"]),
            "nobody can dial this address",
        ),
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn a_record_limit_out_of_its_range_is_refused_with_the_range() {
    let limit = |value: &str| {
        with(
            "\"127.0.0.1:0\"",
            &format!("\"127.0.0.1:0\"\nmax_record_bytes = {value}"),
        )
    };
    assert_snapshot!(limit("1023"), @"server/Actr.toml:20:20: system.websocket.max_record_bytes = 1023: a record limit is a number of bytes from 1024 to 67108864");
    assert_snapshot!(limit("67108865"), @"server/Actr.toml:20:20: system.websocket.max_record_bytes = 67108865: a record limit is a number of bytes from 1024 to 67108864");
    assert_snapshot!(limit("-1"), @"server/Actr.toml:20:20: system.websocket.max_record_bytes = -1: a record limit is a number of bytes from 1024 to 67108864");
    assert_snapshot!(limit("\"4 MiB\""), @r#"server/Actr.toml:20:20: system.websocket.max_record_bytes: expected a whole number of bytes, like 4194304 for 4 MiB, found the string "4 MiB""#);
    assert_snapshot!(limit("4.5"), @"server/Actr.toml:20:20: system.websocket.max_record_bytes: expected a whole number of bytes, like 4194304 for 4 MiB, found the number 4.5");
    assert_snapshot!(with("\"127.0.0.1:0\"", "\"127.0.0.1:0\"\nmax_record_len = 1"), @"server/Actr.toml:20:1: unknown key system.websocket.max_record_len: did you mean system.websocket.max_record_bytes?");
    assert_snapshot!(error(GOOD, &["system.websocket.max_record_bytes=lots"]), @r#"--config system.websocket.max_record_bytes=lots: system.websocket.max_record_bytes: expected a whole number of bytes, like 4194304 for 4 MiB, found the string "lots""#);
}

#[test]
fn a_limit_out_of_its_range_is_refused_with_the_range() {
    let limit = |line: &str| {
        with(
            "[system.deployment]",
            &format!("[system.limits]\n{line}\n\n[system.deployment]"),
        )
    };
    assert_snapshot!(limit("max_connections = 0"), @"server/Actr.toml:22:19: system.limits.max_connections = 0: it has to be from 1 to 1048576");
    assert_snapshot!(limit("max_streams = -1"), @"server/Actr.toml:22:15: system.limits.max_streams = -1: it has to be from 1 to 1048576");
    assert_snapshot!(limit("max_streams_per_peer = 1048577"), @"server/Actr.toml:22:24: system.limits.max_streams_per_peer = 1048577: it has to be from 1 to 1048576");
    assert_snapshot!(limit("max_subscriptions = 0xffff_ffff_ffff"), @"server/Actr.toml:22:21: system.limits.max_subscriptions = 281474976710655: it has to be from 1 to 1048576");
    assert_snapshot!(limit("max_calls = \"many\""), @r#"server/Actr.toml:22:13: system.limits.max_calls: expected a whole number, like 100, found the string "many""#);
    assert_snapshot!(limit("max_metadata_bytes = 255"), @"server/Actr.toml:22:22: system.limits.max_metadata_bytes = 255: it has to be from 256 to 1048576");
    assert_snapshot!(limit("max_metadata_bytes = \"16 KiB\""), @r#"server/Actr.toml:22:22: system.limits.max_metadata_bytes: expected a whole number of bytes, like 16384 for 16 KiB, found the string "16 KiB""#);
    assert_snapshot!(limit("max_bytes_per_peer = 1.5"), @"server/Actr.toml:22:22: system.limits.max_bytes_per_peer: expected a whole number of bytes, like 67108864 for 64 MiB, found the number 1.5");
    assert_snapshot!(limit("header_timeout = 0"), @"server/Actr.toml:22:18: system.limits.header_timeout = 0: it has to be from 10 ms to a day");
    assert_snapshot!(limit("header_timeout = 5.5"), @r#"server/Actr.toml:22:18: system.limits.header_timeout: expected seconds, or a text like "500ms", "30s" or "5min", found the number 5.5"#);
    assert_snapshot!(limit("header_timeout = \"soon\""), @r#"server/Actr.toml:22:18: system.limits.header_timeout = "soon": expected number at 0: write it like 500ms, 30s or 5min"#);
    assert_snapshot!(limit("idle_timeout = \"25h\""), @r#"server/Actr.toml:22:16: system.limits.idle_timeout = "25h": it has to be from 10 ms to a day"#);
    assert_snapshot!(limit("idle_timeout = -1"), @"server/Actr.toml:22:16: system.limits.idle_timeout = -1: it has to be from 10 ms to a day");
    assert_snapshot!(limit("max_conections = 1"), @"server/Actr.toml:22:1: unknown key system.limits.max_conections: did you mean system.limits.max_connections?");
    assert_snapshot!(limit("max_record_bytes = 1"), @"server/Actr.toml:22:1: unknown key system.limits.max_record_bytes: did you mean system.websocket.max_record_bytes?");
    assert_snapshot!(with("url =", "limits.max_nodes = 0\nurl ="), @"server/Actr.toml:16:20: system.signaling.limits.max_nodes = 0: it has to be from 1 to 1048576");
    assert_snapshot!(with("url =", "limits.max_node = 1\nurl ="), @"server/Actr.toml:16:8: unknown key system.signaling.limits.max_node: did you mean system.signaling.limits.max_nodes?");
    assert_snapshot!(error(GOOD, &["system.limits.max_connections=lots"]), @r#"--config system.limits.max_connections=lots: system.limits.max_connections: expected a whole number, like 100, found the string "lots""#);
    assert_snapshot!(error(GOOD, &["system.limits=10"]), @"--config system.limits=10: system.limits: expected a table, found the number 10");
}

#[test]
fn a_long_value_is_shown_in_part() {
    let long = "x".repeat(1000);
    assert_snapshot!(with("acme+Client", &long), @r#"server/Actr.toml:25:43: acl.rules.types = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...: an actor type is manufacturer+name or manufacturer:name:version"#);
}

#[test]
fn what_is_wrong_in_an_override_is_said_of_the_override() {
    assert_snapshot!(error(GOOD, &["system.signaling.ulr=ws://127.0.0.1:0/signaling/ws"]), @"--config system.signaling.ulr=ws://127.0.0.1:0/signaling/ws: unknown key system.signaling.ulr: did you mean system.signaling.url?");
    assert_snapshot!(error(GOOD, &["sytem.signaling.url=x"]), @"--config sytem.signaling.url=x: unknown key sytem: did you mean system?");
    assert_snapshot!(error(GOOD, &["realm_id=2"]), @"--config realm_id=2: unknown key realm_id: did you mean system.deployment.realm_id?");
    assert_snapshot!(error(GOOD, &["system.deployment.realm_id=two words"]), @r#"--config 'system.deployment.realm_id=two words': system.deployment.realm_id: expected a whole number from 0 to 4294967295, found the string "two words""#);
    assert_snapshot!(error(GOOD, &["package.actr_type.version=1.0"]), @"--config package.actr_type.version=1.0: package.actr_type.version: expected a string in quotes, found the number 1.0");
    assert_snapshot!(error(GOOD, &["package.actr_type={name='Echo'}"]), @r#"--config "package.actr_type={name='Echo'}": package.actr_type.manufacturer is missing: add manufacturer = "acme" to [package.actr_type]"#);
    assert_snapshot!(error(GOOD, &["edition.number=1"]), @"--config edition.number=1: edition: expected the number 1, found a table");
    assert_snapshot!(error(GOOD, &["edition=3"]), @"--config edition=3: edition = 3: this runtime reads edition 1: write edition = 1");
    assert_snapshot!(error(GOOD, &["exports=[a"]), @r#"--config 'exports=[a': exports: expected an array of paths of .proto files, found the string "[a""#);
}

#[test]
fn a_data_lane_address_with_more_than_a_place_is_refused() {
    let advertised = |url: &str| with("\"127.0.0.1:0\"", &format!("\"127.0.0.1:0\"\nadvertised = \"{url}\""));
    assert_snapshot!(advertised("ws://user@example.org:9000"), @r#"server/Actr.toml:20:14: system.websocket.advertised = "ws://user@example.org:9000": a user or password has no meaning here: write ws://host:port, or wss:// with TLS"#);
    assert_snapshot!(advertised("ws://example.org:9000/#here"), @r#"server/Actr.toml:20:14: system.websocket.advertised = "ws://example.org:9000/#here": a fragment has no meaning here: write ws://host:port, or wss:// with TLS"#);
    assert_snapshot!(advertised("example.org:9000"), @r#"server/Actr.toml:20:14: system.websocket.advertised = "example.org:9000": the scheme is example.org: write ws://host:port, or wss:// with TLS"#);
}

#[test]
fn tls_without_what_it_needs_is_refused_with_what_is_missing() {
    let tls = |lines: &str| {
        with(
            "[system.deployment]",
            &format!("[system.tls]\n{lines}\n\n[system.deployment]"),
        )
    };
    assert_snapshot!(tls("cert = \"cert.pem\""), @r#"server/Actr.toml:21:9: system.tls.key is missing: add key = "certs/key.pem" to [system.tls]"#);
    assert_snapshot!(tls("key = \"key.pem\""), @r#"server/Actr.toml:21:9: system.tls.cert is missing: add cert = "certs/cert.pem" to [system.tls]"#);
    assert_snapshot!(tls("ca = \"\""), @r#"server/Actr.toml:22:6: system.tls.ca = "": write the path of a PEM file"#);
    assert_snapshot!(tls("ca = true"), @"server/Actr.toml:22:6: system.tls.ca: expected a string in quotes, found the boolean true");
    assert_snapshot!(tls("certificate = \"cert.pem\""), @"server/Actr.toml:22:1: unknown key system.tls.certificate: known keys here are cert, key, ca");
    assert_snapshot!(tls("cret = \"cert.pem\""), @"server/Actr.toml:22:1: unknown key system.tls.cret: did you mean system.tls.cert?");
    assert_snapshot!(with("url = \"ws:", "embedded = true\nurl = \"wss:"), @r#"server/Actr.toml:17:7: system.signaling.url = "wss://127.0.0.1:8081/signaling/ws": a registry in this process needs a certificate for wss://: add cert and key to [system.tls] (cargo dev-certs --out certs makes them for development), or write ws://"#);
    let both = "\"127.0.0.1:0\"\nadvertised = \"ws://example.org:9000\"\n[system.tls]\ncert = \"a\"\nkey = \"b\"";
    assert_snapshot!(with("\"127.0.0.1:0\"", both), @r#"server/Actr.toml:20:14: system.websocket.advertised = "ws://example.org:9000": this node has a certificate in [system.tls], so that its data lane speaks TLS: write wss://"#);
    assert_snapshot!(error(GOOD, &["system.tls.cert=cert.pem"]), @r#"--config system.tls.cert=cert.pem: system.tls.key is missing: add key = "certs/key.pem" to [system.tls]"#);
}

#[test]
fn servers_for_nodes_behind_nat_are_refused_with_a_remedy() {
    let webrtc = |keys: &str| with("[acl]", &format!("[system.webrtc]\n{keys}\n[acl]"));
    let signaling = |keys: &str| with("url =", &format!("{keys}\nurl ="));
    assert_snapshot!(webrtc(r#"stun_urls = ["stun.example"]"#), @r#"server/Actr.toml:25:13: system.webrtc.stun_urls = [...]: "stun.example": write stun:host:port, such as stun:stun.example.org:3478"#);
    assert_snapshot!(webrtc(r#"turn_urls = ["turns:a?transport=udp"]"#), @r#"server/Actr.toml:25:13: system.webrtc.turn_urls = [...]: "turns:a?transport=udp": behind the port there may be ?transport=udp or ?transport=tcp, and with turns: only the latter"#);
    assert_snapshot!(webrtc(r#"turn_urls = ["turn:a", "turn:a", "turn:a", "turn:a", "turn:a", "turn:a", "turn:a", "turn:a", "turn:a"]"#), @r#"server/Actr.toml:25:13: system.webrtc.turn_urls = [...]: write 8 at most"#);
    assert_snapshot!(webrtc(r#"turn_username = "node""#), @r#"server/Actr.toml:25:17: system.webrtc.turn_username = "node": add turn_password_file, the path of the file with its password"#);
    assert_snapshot!(webrtc(r#"turn_password_file = "password""#), @r#"server/Actr.toml:25:22: system.webrtc.turn_password_file = "password": add turn_username, whose password it is"#);
    assert_snapshot!(webrtc("turn_username = \"node\"\nturn_password_file = \"password\""), @r#"server/Actr.toml:25:17: system.webrtc.turn_username = "node": add turn_urls: the relays that the registry names take the credential that it grants"#);
    assert_snapshot!(signaling(r#"turn_urls = ["turn:a"]"#), @r#"server/Actr.toml:16:13: system.signaling.turn_urls = [...]: add turn_secret_file, the path of a file with the static-auth-secret that these relays have"#);
    assert_snapshot!(signaling(r#"turn_secret_file = "secret""#), @r#"server/Actr.toml:16:20: system.signaling.turn_secret_file = "secret": add turn_urls, the relays that share it"#);
}
