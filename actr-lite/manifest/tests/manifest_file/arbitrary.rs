//! Whatever the file holds, it is a manifest or an error.

use std::path::Path;

use actr_lite_manifest::{ConfigOverride, Manifest};
use proptest::prelude::*;

use crate::{LEAST, parse};

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
