//! `--check` says everything that is wrong with a program's configuration and files, and does nothing else.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, SystemTime},
};

use harness::{Certificates, Deployment, Finished, Launch, port_of, registry_url, tls_registry_url, unused_port};

/// Each problem is a line of its own, in this order; nothing else is said.
#[track_caller]
fn assert_problems(program: &Finished, expected: &[&[&str]]) {
    assert_eq!(
        (program.code(), program.stdout.as_str()),
        (Some(1), ""),
        "{}",
        program.stderr
    );
    let lines: Vec<_> = program.stderr.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{}", program.stderr);
    for (line, parts) in lines.iter().zip(expected) {
        assert!(line.starts_with("error: "), "{line}");
        for part in *parts {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
    }
}

#[track_caller]
fn assert_valid(launch: Launch) {
    let program = launch.run();
    assert_eq!(
        (program.code(), program.stderr.as_str()),
        (Some(0), ""),
        "{}",
        program.stdout
    );
    assert!(program.stdout.contains("valid"), "{}", program.stdout);
}

fn all_files(deployment: &Deployment) -> Vec<String> {
    let mut names: Vec<_> = ["", "server", "client", "data"]
        .iter()
        .filter_map(|folder| fs::read_dir(deployment.path(folder)).ok())
        .flatten()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    names.sort();
    names
}

#[test]
fn the_shipped_files_are_valid_and_nothing_else_happens() {
    let deployment = Deployment::new();
    let before = all_files(&deployment);
    // The ports are in use, and nobody answers: neither is looked at.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = registry_url(taken.local_addr().unwrap().port());
    let server = deployment
        .server_that_hosts(port_of(&url))
        .config("system.signaling.data_dir", deployment.path("data/keys").display())
        .config("system.signaling.audit_log", deployment.path("audit.jsonl").display());
    assert_valid(server.arg("--check"));
    assert_valid(deployment.client_without_count(&url).arg("--check"));
    assert_valid(deployment.client(&url, 10).arg("--check"));
    let listen = taken.local_addr().unwrap().to_string();
    let registry = deployment
        .registry_on(&listen)
        .arg("--data-dir")
        .arg(deployment.path("data/keys"));
    let registry = registry.arg("--audit-log").arg(deployment.path("audit.jsonl"));
    assert_valid(registry.arg("--check"));
    assert_eq!(all_files(&deployment), before);
    taken.set_nonblocking(true).unwrap();
    assert!(taken.accept().is_err(), "somebody was called");
}

#[test]
fn a_running_programs_configuration_can_be_checked() {
    let deployment = Deployment::new();
    let data = deployment.path("data");
    let with_files = |launch: Launch| {
        launch
            .arg("--data-dir")
            .arg(&data)
            .arg("--audit-log")
            .arg(deployment.path("audit"))
    };
    let running = with_files(deployment.registry(0)).spawn();
    let listen = format!("127.0.0.1:{}", port_of(&running.registry_url()));
    assert_valid(with_files(deployment.registry_on(&listen)).arg("--check"));
    assert!(running.is_running());
}

#[test]
fn each_problem_of_actr_toml_is_said_with_its_line() {
    let deployment = Deployment::new();
    let path = deployment.path("server/Actr.toml");
    let text = fs::read_to_string(&path).unwrap();
    let wrong = [
        ("realm_id = 1", "relam_id = 1"),
        ("embedded = true", "embedded = 1"),
        ("visible", "visibel"),
    ];
    let line = |part: &str| {
        format!(
            "{}:{}:",
            path.display(),
            text.lines().position(|line| line.contains(part)).unwrap() + 1
        )
    };
    let text = wrong
        .iter()
        .fold(text.clone(), |text, (old, new)| text.replacen(old, new, 1));
    fs::write(&path, text).unwrap();
    let said = deployment
        .server()
        .config("system.limits.max_calls", 0)
        .arg("--check")
        .run();
    assert_problems(
        &said,
        &[
            &[&line("embedded = true"), "system.signaling.embedded", "true or false"],
            &[&line("realm_id = 1"), "did you mean system.deployment.realm_id?"],
            &["system.deployment.realm_id is missing"],
            &[&line("visible = true"), "did you mean system.discovery.visible?"],
            &["--config system.limits.max_calls=0", "from 1 to"],
        ],
    );
}

#[test]
fn each_file_that_a_node_can_not_use_is_said() {
    let deployment = Deployment::new();
    let (realms, secret, data) = (
        deployment.path("realms.toml"),
        deployment.path("secret"),
        deployment.path("data"),
    );
    fs::write(&realms, "1 = \"secret\"\n2 = 3\n").unwrap();
    fs::write(&secret, "two\nlines").unwrap();
    for file in [&realms, &secret] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o777)).unwrap();
    let (cert, key) = (deployment.path("cert.pem"), deployment.path("key.pem"));
    fs::write(&cert, "no certificate").unwrap();
    let said = deployment
        .server()
        .config("exports", "[\"a.proto\", \"b.proto\"]")
        .config("system.tls.cert", cert.display())
        .config("system.tls.key", key.display())
        .config("system.tls.ca", deployment.path("ca.pem").display())
        .config("system.deployment.realm_secret_file", secret.display())
        .config("system.signaling.realms", realms.display())
        .config("system.signaling.data_dir", data.display())
        .config("system.signaling.audit_log", deployment.path("no/audit").display())
        .config("system.signaling.credential_lifetime", "\"2h\"")
        .config("system.signaling.key_lifetime", "\"1h\"")
        .arg("--check")
        .run();
    assert_problems(
        &said,
        &[
            &["--config 'exports=", "exports names a.proto"],
            &["exports names b.proto"],
            &[
                "--config system.tls.cert=",
                "cert.pem (system.tls.cert)",
                "no certificate in it",
            ],
            &["key.pem (system.tls.key)", "no such file"],
            &["ca.pem (system.tls.ca)", "no such file"],
            &["realm_secret_file", "secret"],
            &["realms", "realms.toml, line 2"],
            &["key_lifetime is 3600 s"],
            &["data_dir", "chmod 700"],
            &["audit log", "no/audit"],
        ],
    );
}

#[test]
fn a_folder_that_the_programs_user_can_not_write_to_is_said() {
    let deployment = Deployment::new();
    let readable = fs::Permissions::from_mode(0o555);
    fs::set_permissions(deployment.path(""), readable).unwrap();
    let check = |registry: Launch| {
        let is_root = rustix::process::geteuid().is_root();
        let somebody = ["--reuid=54321", "--regid=54321", "--clear-groups"];
        let registry = registry.arg("--check");
        let registry = if is_root {
            registry.under("setpriv", &somebody)
        } else {
            registry
        };
        registry.run()
    };
    let path = |name: &str| deployment.path(name);
    let keys = check(deployment.registry(0).arg("--data-dir").arg(path("new/keys")));
    assert_problems(&keys, &[&["data_dir", "new/keys", "Permission denied"]]);
    let audit = check(deployment.registry(0).arg("--audit-log").arg(path("audit")));
    assert_problems(&audit, &[&["audit log", "Permission denied"]]);
    fs::set_permissions(deployment.path(""), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_lock_file_that_lacks_a_dependency_is_said_with_the_remedy() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let client = || deployment.client_without_count(&url).arg("--check");
    let more = client()
        .config("dependencies.other", "{ actr_type = \"acme+Other\" }")
        .run();
    assert_problems(&more, &[&["no entry for acme:Other:1.0.0", "--update-lock"]]);
    fs::remove_file(deployment.path("client/Actr.lock.toml")).unwrap();
    assert_problems(&client().run(), &[&["no such lock file", "--update-lock"]]);
    assert_problems(
        &client().config("dependencies", "{}").run(),
        &[&["no dependency \"server\""]],
    );
}

#[test]
fn a_certificate_that_has_expired_is_said() {
    let deployment = Deployment::new();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    let expired = Certificates::until(&deployment.path("certs"), yesterday);
    let said = expired.served_by(deployment.server()).arg("--check").run();
    assert_problems(&said, &[&["cert.pem", "expired"]]);
    let files = expired.files();
    let registry = deployment
        .registry(0)
        .arg("--tls-cert")
        .arg(&files.cert)
        .arg("--tls-key")
        .arg(&files.key);
    assert_problems(&registry.arg("--check").run(), &[&["cert.pem", "expired"]]);
    let valid = Certificates::new(&deployment.path("certs"));
    let server = valid
        .served_by(deployment.server())
        .config("system.signaling.url", tls_registry_url(0));
    assert_valid(server.arg("--check"));
}

#[test]
fn each_argument_that_a_registry_can_not_use_is_said() {
    let deployment = Deployment::new();
    let nothing = |name: &str| deployment.path(&format!("nothing/{name}"));
    let said = deployment
        .registry_on("0.0.0.0:http")
        .arg("--tls-cert")
        .arg(nothing("cert.pem"))
        .arg("--tls-key")
        .arg(nothing("key.pem"))
        .arg("--realms")
        .arg(nothing("realms.toml"))
        .arg("--audit-log")
        .arg(nothing("audit"))
        .args(["--credential-lifetime", "100", "--key-lifetime", "10", "--check"])
        .run();
    assert_problems(
        &said,
        &[
            &["cert.pem (--tls-cert)", "no such file"],
            &["key.pem (--tls-key)", "no such file"],
            &["0.0.0.0:http", "its port is not a number"],
            &["--realms", "realms.toml"],
            &["--key-lifetime is 10 s"],
            &["audit log", "nothing/audit"],
        ],
    );
    let exposed = deployment.registry_on("0.0.0.0:0").arg("--check").run();
    assert_problems(
        &exposed,
        &[
            &["without TLS and a realm secret", "--tls-cert", "--insecure"],
            &["without TLS and an admin token", "--admin-token-file", "--insecure"],
        ],
    );
}
