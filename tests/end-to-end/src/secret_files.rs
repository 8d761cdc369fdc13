//! Whoever else gets at a file that is to be its owner's alone is told of, with what to do.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
};

use harness::{Certificates, Deployment, WAIT_TIMEOUT, registry_url};

/// Somebody who does not run the programs.
const SOMEBODY: u32 = 54_321;

fn is_root(deployment: &Deployment) -> bool {
    fs::metadata(deployment.path("")).unwrap().uid() == 0
}

#[test]
fn each_secret_file_that_others_can_read_is_told_of() {
    let deployment = Deployment::new();
    let key = Certificates::new(&deployment.path("certs")).files().key;
    let (secret, realms) = (deployment.path("secret"), deployment.path("realms.toml"));
    fs::write(&secret, "open-sesame-0123456789\n").unwrap();
    fs::write(&realms, "1 = \"open-sesame-0123456789\"\n").unwrap();
    let files = [
        ("system.tls.key", &key),
        ("[system.deployment] realm_secret_file", &secret),
        ("the realms' secrets", &realms),
    ];
    for (mode, is_told) in [(0o640, true), (0o604, true), (0o600, false)] {
        for (_, path) in files {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let server = deployment
            .server()
            .config("system.signaling.url", registry_url(0))
            .config("system.tls.cert", key.with_file_name("cert.pem").display())
            .config("system.tls.key", key.display())
            .config("system.tls.ca", key.with_file_name("ca.pem").display())
            .config("system.deployment.realm_secret_file", secret.display())
            .config("system.signaling.realms", realms.display())
            .spawn();
        server.wait_for_line("registry listening on ", WAIT_TIMEOUT);
        for (name, path) in files {
            let told = format!(
                "{name}: others can read {} (mode {mode:04o}): run `chmod 600 ",
                path.display()
            );
            let lines = server.lines_with(&told);
            assert_eq!(
                lines.len(),
                usize::from(is_told),
                "{told}: {}",
                server.lines_with("").join("\n")
            );
            assert!(lines.iter().all(|line| line.contains("fsGroup")), "{lines:?}");
        }
    }
}

#[test]
fn a_data_dir_that_others_can_write_to_is_refused() {
    let deployment = Deployment::new();
    let data_dir = deployment.path("registry-data");
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, Permissions::from_mode(0o2770)).unwrap();
    let registry = deployment.registry(0).arg("--data-dir").arg(&data_dir).run();
    registry.assert_fails_with(&["others can write to ", "registry-data", "chmod 700", "OnRootMismatch"]);
}

#[test]
fn a_data_dir_or_a_key_of_somebody_else_is_refused() {
    let deployment = Deployment::new();
    if !is_root(&deployment) {
        eprintln!("skipped: only root can give a file to another user");
        return;
    }
    let data_dir = deployment.path("registry-data");
    let registry = || deployment.registry(0).arg("--data-dir").arg(&data_dir);
    // It makes both.
    let first = registry().spawn();
    first.registry_url();
    drop(first);
    let keys = data_dir.join("signing-keys.toml");
    for path in [&keys, &data_dir] {
        chown(path, Some(SOMEBODY), None).unwrap();
        let remedy = format!("chown 0 {}", path.display());
        registry()
            .run()
            .assert_fails_with(&["another user", "uid 54321", &remedy, "runAsUser"]);
        chown(path, Some(0), None).unwrap();
    }
}
