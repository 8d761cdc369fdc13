//! A client waits for a server, up to its timeout, and then says which of the possible reasons it was.

use harness::{Deployment, Signal, Summary, WAIT_TIMEOUT, registry_url, unused_port};

const TYPE: &str = "StreamEchoServer";

/// Too short for anything but the first attempt, so that these tests don't take long.
const TIMEOUT: [&str; 2] = ["--timeout", "1s"];

#[test]
fn a_client_that_is_first_waits_for_the_server_and_its_registry() {
    let deployment = Deployment::new();
    let port = unused_port();
    let url = registry_url(port);
    let client = deployment.client(&url, 10).arg("--json").spawn();
    // It says what it waits for, and that it tries again.
    let line = client.wait_for_line(&url, WAIT_TIMEOUT);
    assert!(line.contains("trying again"), "{line}");
    let _server = deployment.server_that_hosts(port).spawn();
    Summary::of_success(&client.finish(), 10);
}

#[test]
fn a_client_that_is_first_waits_for_a_server_to_register() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let client = deployment.client(&url, 10).arg("--json").spawn();
    let line = client.wait_for_line("retrying for up to ", WAIT_TIMEOUT);
    assert!(line.contains(TYPE), "{line}");
    let _server = deployment.server_at(&url).spawn();
    Summary::of_success(&client.finish(), 10);
}

#[test]
fn no_server_is_an_error_that_names_the_type_and_the_registry() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let client = deployment.client(&url, 10).args(TIMEOUT).run();
    client.assert_fails_with(&["no server", TYPE, &url]);
}

#[test]
fn no_registry_is_an_error_that_names_its_url() {
    let deployment = Deployment::new();
    let url = registry_url(unused_port());
    let client = deployment.client(&url, 10).args(TIMEOUT).run();
    client.assert_fails_with(&["registry", &url]);
}

#[test]
fn a_server_of_another_realm_is_an_error_that_names_the_realm() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment
        .client(&url, 10)
        .config("system.deployment.realm_id", 2)
        .args(TIMEOUT)
        .run();
    client.assert_fails_with(&[TYPE, "realm 2"]);

    let (_registry, url) = deployment.start_registry();
    let alone = deployment
        .client(&url, 10)
        .config("system.deployment.realm_id", 2)
        .args(TIMEOUT)
        .run();
    let (with_server, without) = (
        client.error().split("ws://").next(),
        alone.error().split("ws://").next(),
    );
    assert_ne!(
        with_server, without,
        "the same message, whether there is a server in another realm or none"
    );
}

#[test]
fn server_and_client_of_one_realm_meet_whichever_it_is() {
    let deployment = Deployment::new();
    let server = deployment.server().config("system.deployment.realm_id", 77).spawn();
    let url = server.registry_url();
    let client = deployment
        .client(&url, 10)
        .config("system.deployment.realm_id", 77)
        .arg("--json");
    Summary::of_success(&client.run(), 10);
}

#[test]
fn of_two_servers_of_one_type_each_is_found() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let servers = ["server 1", "server 2"].map(|name| {
        let server = deployment.server_at(&url).named(name).spawn();
        (server.ready(), server)
    });
    let first = Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    let (used, other) = match &servers {
        [a, b] if first.servers == [a.0.as_str()] => (a, b),
        [a, b] if first.servers == [b.0.as_str()] => (b, a),
        _ => panic!("an unknown server: {first:?}"),
    };
    used.1.signal(Signal::TERM);
    assert_eq!(used.1.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    let second = Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
    assert_eq!(second.servers, [other.0.as_str()]);
}

#[test]
fn a_server_that_was_killed_is_passed_over_for_one_that_lives() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let dead = deployment.server_at(&url).named("server 1").spawn();
    dead.ready();
    dead.signal(Signal::KILL);
    dead.wait_exit(WAIT_TIMEOUT);
    let living = deployment.server_at(&url).named("server 2").spawn();
    let living_id = living.ready();
    for _ in 0..3 {
        let summary = Summary::of_success(&deployment.client(&url, 10).arg("--json").run(), 10);
        assert_eq!(summary.servers, [living_id.as_str()]);
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let address = url.trim_start_matches("ws://").split('/').next().unwrap();
    let port = address.rsplit(':').next().unwrap().parse().unwrap();
    deployment.server_that_hosts(port).run().assert_fails_with(&[address]);
    deployment.registry(port).run().assert_fails_with(&[address]);
    assert!(registry.is_running());
}
