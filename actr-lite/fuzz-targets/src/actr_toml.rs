use std::path::Path;

use actr_lite_manifest::{ConfigOverride, Lock, Manifest, ManifestError, Problems};

use crate::explained;

/// The least that an `Actr.toml` can say, for overrides to change.
const LEAST: &str = r#"
edition = 1
package = { name = "echo", actr_type = { manufacturer = "acme", name = "Echo" } }
system = { signaling.url = "ws://h/signaling/ws", deployment.realm_id = 7 }
"#;

/// The bytes as the text of an `Actr.toml`; where the word metadata is in it, as that of an `Actr.lock.toml`; and, if
/// they are one line, as an argument of `--config`.
pub fn actr_toml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match text {
        line if line.contains('=') && !line.contains('\n') => config_override(line),
        text if text.contains("metadata") => lock(text),
        text => manifest(text),
    }
}

fn manifest(text: &str) {
    let manifest = match parse(text, &[]) {
        Ok(manifest) => manifest,
        Err(problems) => return problems.into_iter().for_each(|error| located(&error, text)),
    };
    for path in &manifest.exports {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        assert!(
            name.is_some_and(|name| manifest.exports_proto(&name)),
            "an export without a file"
        );
    }
    let websocket = &manifest.system.websocket;
    assert!(websocket.advertised.is_some() || !websocket.listen.ip().is_unspecified());
    assert!(websocket.advertised.as_ref().is_none_or(|url| url.port() != 0));

    let signaling = &manifest.system.signaling;
    let actr_type = &manifest.package.actr_type;
    let mut same = vec![
        format!("system.signaling.url={}", signaling.url),
        format!("system.signaling.embedded={}", signaling.embedded),
        format!("system.websocket.listen={}", websocket.listen),
        format!("system.websocket.max_record_bytes={}", websocket.max_record_bytes),
        format!("system.deployment.realm_id={}", manifest.system.deployment.realm_id),
        format!("package.actr_type.version='{}'", actr_type.version().replace('\'', "x")),
    ];
    if actr_type.version().contains('\'') {
        same.pop();
    }
    if let Some(url) = &websocket.advertised {
        same.push(format!("system.websocket.advertised={url}"));
    }
    let same: Result<Vec<ConfigOverride>, _> = same.iter().map(|text| text.parse()).collect();
    let overridden = same.map(|same| parse(text, &same));
    assert!(
        matches!(&overridden, Ok(Ok(overridden)) if *overridden == manifest),
        "what a file says, said again, is something else: {overridden:?} and {manifest:?}"
    );
}

fn lock(text: &str) {
    let lock = match Lock::parse(text, Path::new("Actr.toml")) {
        Ok(lock) => lock,
        Err(error) => return located(&error, text),
    };
    for dependency in lock.dependencies() {
        assert_eq!(lock.dependency(&dependency.actr_type), Some(dependency));
    }
    let again = Lock::parse(&lock.to_string(), Path::new("Actr.toml"));
    assert!(
        matches!(&again, Ok(again) if *again == lock),
        "a lock that was written is read as another: {again:?} and {lock:?}"
    );
}

fn config_override(text: &str) {
    match text.parse::<ConfigOverride>() {
        Ok(config_override) => {
            assert_eq!(config_override.to_string(), text);
            for error in parse(LEAST, &[config_override]).err().into_iter().flatten() {
                explained(&error, text.as_bytes());
            }
        }
        Err(error) => explained(&error, text.as_bytes()),
    }
}

fn parse(text: &str, overrides: &[ConfigOverride]) -> Result<Manifest, Problems<ManifestError>> {
    Manifest::parse(text, Path::new("Actr.toml"), overrides)
}

/// An error of a file begins with its place.
fn located(error: &ManifestError, text: &str) {
    explained(error, text.as_bytes());
    assert!(error.to_string().starts_with("Actr.toml:"), "{error}");
}
