//! A client talks only to a server whose contract it was built against, and says how to update the lock.

#[cfg(target_os = "linux")]
use std::process::Command;
use std::{fs, os::unix::fs::symlink, path::Path};

use harness::{Deployment, Signal, Summary, peer::server_of_another_contract, registry_url, unused_port};

/// The contract of the unmodified `stream_server.proto`.
const CONTRACT: &str = "8cd6382d374752af9f3ad1488cb4d465dd0fc1a8e22b69eee6e5a75d793d0708";
const FILE: &str = "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355";

/// The contract of a `stream_server.proto` whose file fingerprint is all zeros: sha256 of
/// `stream_server.proto:000…000`.
const OTHER_CONTRACT: &str = "0fd064e0d13e6ad5dd19415c9b06cff660a7b06f9d14d76d30f6d7aba662a293";

const LOCK: &str = "client/Actr.lock.toml";

/// The lock's text without its two times.
fn without_times(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let kept = text
        .lines()
        .filter(|line| !line.starts_with("generated_at") && !line.starts_with("cached_at"));
    kept.collect::<Vec<_>>().join("\n")
}

fn other_contract(deployment: &Deployment) {
    let path = deployment.path(LOCK);
    let text = fs::read_to_string(&path).unwrap();
    let other = text.replace(CONTRACT, OTHER_CONTRACT).replace(FILE, &"0".repeat(64));
    assert_ne!(text, other);
    fs::write(&path, other).unwrap();
}

/// The command as the error names it: it has to work with the path that the user gave.
fn command(deployment: &Deployment) -> String {
    format!(
        "client --actr-toml {} --update-lock",
        deployment.path("client/Actr.toml").display()
    )
}

#[test]
fn a_missing_lock_is_refused_with_the_command_that_makes_it() {
    let deployment = Deployment::new();
    fs::remove_file(deployment.path(LOCK)).unwrap();
    let client = deployment.client(&registry_url(unused_port()), 10).run();
    client.assert_fails_with(&["Actr.lock.toml", "no such", &command(&deployment)]);
}

#[test]
fn a_broken_lock_is_refused_with_the_command_that_makes_it() {
    let deployment = Deployment::new();
    for garbage in [
        "\u{7f}ELF",
        "[metadata\n",
        "",
        "[metadata]\nversion = 9\ngenerated_at = \"2026-01-01T00:00:00Z\"\n",
    ] {
        fs::write(deployment.path(LOCK), garbage).unwrap();
        let client = deployment.client(&registry_url(unused_port()), 10).run();
        client.assert_fails_with(&["Actr.lock.toml", &command(&deployment)]);
    }
}

#[test]
fn a_lock_without_the_contract_names_the_command_to_add_it() {
    let deployment = Deployment::new();
    fs::copy(deployment.path("server/Actr.lock.toml"), deployment.path(LOCK)).unwrap();
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 10).run();
    client.assert_fails_with(&["StreamEchoServer", &command(&deployment)]);
}

#[test]
fn another_contract_is_refused_with_both_fingerprints() {
    let deployment = Deployment::new();
    other_contract(&deployment);
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment.client(&url, 10).args(["--timeout", "1s"]).run();
    client.assert_fails_with(&[CONTRACT, OTHER_CONTRACT, &command(&deployment)]);
    assert!(!client.stderr.contains("Received: "), "{}", client.stderr);
}

#[test]
fn the_lock_is_updated_from_the_running_server() {
    let deployment = Deployment::new();
    let shipped = without_times(&deployment.path(LOCK));
    other_contract(&deployment);
    let (_server, url) = deployment.start_server(&[]);

    let update = deployment.client_without_count(&url).arg("--update-lock").run();
    assert_eq!(update.code(), Some(0), "{}", update.stderr);
    assert_eq!(without_times(&deployment.path(LOCK)), shipped);
    assert_eq!(files(&deployment), ["Actr.lock.toml", "Actr.toml"]);
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
}

#[test]
fn a_missing_or_broken_lock_is_written_again() {
    let deployment = Deployment::new();
    let shipped = without_times(&deployment.path(LOCK));
    let (_server, url) = deployment.start_server(&[]);
    for prepare in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| fs::write(path, "garbage").unwrap(),
    ] {
        prepare(&deployment.path(LOCK));
        let update = deployment.client_without_count(&url).arg("--update-lock").run();
        assert_eq!(update.code(), Some(0), "{}", update.stderr);
        assert_eq!(without_times(&deployment.path(LOCK)), shipped);
    }
    Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
}

#[test]
fn without_a_server_the_lock_is_not_changed() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let before = fs::read_to_string(deployment.path(LOCK)).unwrap();
    let update = deployment
        .client_without_count(&url)
        .args(["--update-lock", "--timeout", "500ms"])
        .run();
    update.assert_fails_with(&["StreamEchoServer"]);
    assert_eq!(fs::read_to_string(deployment.path(LOCK)).unwrap(), before);
    assert_eq!(files(&deployment), ["Actr.lock.toml", "Actr.toml"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_contracts_only_the_one_that_is_named_is_locked() {
    let deployment = Deployment::new();
    let shipped = without_times(&deployment.path(LOCK));
    other_contract(&deployment);
    let before = fs::read_to_string(deployment.path(LOCK)).unwrap();
    let (server, url) = deployment.start_server(&[]);
    let other = server_of_another_contract(&deployment, &url).await;
    let update = || deployment.client_without_count(&url).arg("--update-lock");

    let unclear = update().run();
    let (id, other_id) = (server.ready(), other.actor_id().to_string());
    let remedy = format!("{} --contract FINGERPRINT", command(&deployment));
    unclear.assert_fails_with(&["publish 2 contracts", CONTRACT, &id, &other_id, &remedy]);
    let absent = update()
        .args(["--contract", &format!("service_semantic:{OTHER_CONTRACT}")])
        .run();
    absent.assert_fails_with(&["publish 2 contracts"]);
    assert_eq!(fs::read_to_string(deployment.path(LOCK)).unwrap(), before);

    let contract = format!("service_semantic:{CONTRACT}");
    let named = update().args(["--contract", &contract]).run();
    assert_eq!(named.code(), Some(0), "{}", named.stderr);
    assert_eq!(without_times(&deployment.path(LOCK)), shipped);
    Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);

    server.signal(Signal::TERM);
    other.shutdown().await;
}

#[test]
fn a_contract_that_nobody_publishes_is_not_locked() {
    let deployment = Deployment::new();
    let before = fs::read_to_string(deployment.path(LOCK)).unwrap();
    let (_server, url) = deployment.start_server(&[]);
    let contract = format!("service_semantic:{OTHER_CONTRACT}");
    let update = deployment
        .client_without_count(&url)
        .args(["--update-lock", "--contract", &contract]);
    update.run().assert_fails_with(&["no server", &contract, "--contract"]);
    assert_eq!(fs::read_to_string(deployment.path(LOCK)).unwrap(), before);
}

#[test]
fn an_update_through_a_link_writes_where_it_leads() {
    let deployment = Deployment::new();
    let (lock, shared) = (deployment.path(LOCK), deployment.path("shared.lock.toml"));
    let shipped = without_times(&lock);
    other_contract(&deployment);
    fs::rename(&lock, &shared).unwrap();
    symlink("../shared.lock.toml", &lock).unwrap();
    let (_server, url) = deployment.start_server(&[]);
    let update = deployment.client_without_count(&url).arg("--update-lock").run();
    assert_eq!(update.code(), Some(0), "{}", update.stderr);
    assert!(lock.is_symlink());
    assert_eq!(without_times(&shared), shipped);
}

/// Runs what follows with a file mounted at the place of another, as a container does it.
#[cfg(target_os = "linux")]
const WITH_MOUNT: [&str; 5] = ["--user", "--map-root-user", "--mount", "sh", "-c"];

#[cfg(target_os = "linux")]
#[test]
fn a_lock_that_is_a_mount_of_its_own_is_updated_in_place() {
    let may_mount = Command::new("unshare").args(&WITH_MOUNT[..3]).arg("true").output();
    if !may_mount.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: this user may not mount anything, not even in a namespace of its own (unshare --user --mount)"
        );
        return;
    }
    let deployment = Deployment::new();
    let (lock, shared) = (deployment.path(LOCK), deployment.path("shared.lock.toml"));
    let shipped = without_times(&lock);
    fs::write(&shared, "garbage that is longer than a lock\n".repeat(100)).unwrap();
    let (_server, url) = deployment.start_server(&[]);
    let mount = format!(
        "mount --bind '{}' '{}' && exec \"$0\" \"$@\"",
        shared.display(),
        lock.display()
    );
    let update = deployment.client_without_count(&url).arg("--update-lock");
    let update = update.under("unshare", &[&WITH_MOUNT[..], &[&mount]].concat()).run();
    assert_eq!(update.code(), Some(0), "{}", update.stderr);
    assert_eq!(without_times(&shared), shipped);
    assert_eq!(files(&deployment), ["Actr.lock.toml", "Actr.toml"]);
}

fn files(deployment: &Deployment) -> Vec<String> {
    let entries = fs::read_dir(deployment.path("client")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
