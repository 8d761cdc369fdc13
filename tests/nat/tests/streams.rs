//! Our server streams to our client, whatever routers are between them.

use harness::{Host, Summary, WAIT_TIMEOUT};

use crate::{
    coturn::{PASSWORD, USERNAME},
    network::Nat,
    scene::{OVER_IPV6, OVER_LOSSY_UDP, OVER_TCP, OVER_TLS, OVER_UDP, Scene, wait_for_path},
};

const FRAMES: u64 = 2_000;

const STUN: (&str, &str) = ("stun_urls", r#"["stun:192.0.2.10:3478"]"#);
const FORCE_RELAY: (&str, &str) = ("force_relay", "true");

/// A client gets all frames, in order, over a path of this kind.
fn stream(scene: &Scene, settings: &[(&str, &str)], is_relayed: bool) {
    let server = scene.server(settings);
    let client = scene.client(FRAMES, settings).spawn();
    wait_for_path(&client, is_relayed);
    wait_for_path(&server, is_relayed);
    let finished = client.finish();
    let summary = Summary::of_success(&finished, FRAMES);
    assert_eq!(summary.resumes, 0, "{}", finished.stderr);
}

#[test]
fn stun_is_enough_behind_full_cone_routers() {
    let Some(scene) = Scene::new(Nat::FullCone, &[]) else {
        return;
    };
    stream(&scene, &[STUN], false);
}

#[test]
fn only_a_relay_is_enough_behind_symmetric_routers() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[OVER_UDP]) else {
        return;
    };
    stream(&scene, &[STUN], true);
}

#[test]
fn a_relay_is_used_where_it_is_asked_for() {
    let Some(scene) = Scene::new(Nat::FullCone, &[OVER_UDP]) else {
        return;
    };
    stream(&scene, &[STUN, FORCE_RELAY], true);
}

#[test]
fn a_relay_is_reached_over_tcp() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[OVER_TCP]) else {
        return;
    };
    stream(&scene, &[], true);
}

#[test]
fn a_relay_is_reached_over_tls() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[OVER_TLS]) else {
        return;
    };
    stream(&scene, &[], true);
}

#[test]
fn a_relay_is_reached_over_ipv6() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[OVER_IPV6]) else {
        return;
    };
    stream(&scene, &[FORCE_RELAY], true);
}

#[test]
fn a_path_that_loses_and_reorders_loses_no_frame() {
    let Some(scene) = Scene::new(Nat::FullCone, &[OVER_LOSSY_UDP]) else {
        return;
    };
    // 2 %, and 2 % behind the next.
    let _path = scene.lossy_path(20, 20, 0);
    stream(&scene, &[FORCE_RELAY], true);
}

#[test]
fn the_first_datagrams_to_a_relay_are_sent_again() {
    let Some(scene) = Scene::new(Nat::FullCone, &[OVER_LOSSY_UDP]) else {
        return;
    };
    let _path = scene.lossy_path(0, 0, 3);
    stream(&scene, &[FORCE_RELAY], true);
}

#[test]
fn a_relay_takes_the_account_of_actr_toml() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[]) else {
        return;
    };
    let password = scene.secret_file("turn-password", PASSWORD);
    let account = [
        ("turn_urls", r#"["turn:192.0.2.10"]"#),
        ("turn_username", USERNAME),
        ("turn_password_file", password.to_str().unwrap()),
    ];
    stream(&scene, &account, true);
}

#[test]
fn nothing_but_a_relay_is_enough_behind_symmetric_routers() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[]) else {
        return;
    };
    let _server = scene.server(&[STUN]);
    let client = scene.client(FRAMES, &[STUN]).args(["--timeout", "8s"]).run();
    client.assert_fails_with(&["cannot be reached"]);
}

#[test]
fn who_wants_relays_only_is_reached_in_no_other_way() {
    let Some(scene) = Scene::new(Nat::FullCone, &[]) else {
        return;
    };
    // That way would be open.
    let settings = [STUN, FORCE_RELAY];
    let _server = scene.server(&settings);
    let client = scene.client(FRAMES, &settings).args(["--timeout", "8s"]).run();
    client.assert_fails_with(&["cannot be reached"]);
}

/// A stream that takes a while goes on in the same session when something happens to its path in the middle.
fn stream_through(mut scene: Scene, happens: impl FnOnce(&mut Scene)) {
    let server = scene.server_with(&["--interval", "10ms"], &[FORCE_RELAY]);
    let client = scene.client(FRAMES, &[FORCE_RELAY]).spawn();
    client.wait_for_line("Stream message 100 for", WAIT_TIMEOUT);
    happens(&mut scene);
    client.wait_for_line("another offer for the same session", WAIT_TIMEOUT);
    let finished = client.finish();
    let summary = Summary::of_success(&finished, FRAMES);
    assert_eq!(summary.resumes, 0, "{}", finished.stderr);
    drop(server);
}

#[test]
fn a_stream_goes_on_when_an_address_changes() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[OVER_UDP]) else {
        return;
    };
    stream_through(scene, |scene| scene.network.renumber(Host::Right));
}

#[test]
fn a_stream_goes_on_when_its_relay_is_restarted() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[OVER_UDP]) else {
        return;
    };
    stream_through(scene, Scene::restart_relay);
}

#[test]
fn a_stream_goes_on_when_its_relay_breaks_off() {
    let Some(scene) = Scene::new(Nat::Symmetric, &[OVER_TCP]) else {
        return;
    };
    stream_through(scene, Scene::restart_relay);
}

#[test]
fn a_stream_goes_on_over_a_relay_that_is_named_no_more() {
    let Some(mut scene) = Scene::new(Nat::Symmetric, &[OVER_UDP]) else {
        return;
    };
    let server = scene.server_with(&["--interval", "10ms"], &[FORCE_RELAY]);
    let client = scene.client(FRAMES, &[FORCE_RELAY]).spawn();
    client.wait_for_line("Stream message 100 for", WAIT_TIMEOUT);
    scene.restart_registry(&[OVER_TCP]);
    for node in [&server, &client] {
        node.wait_for_line(
            "the address at the relay is for those that use it already",
            WAIT_TIMEOUT,
        );
    }
    let finished = client.finish();
    let summary = Summary::of_success(&finished, FRAMES);
    assert_eq!(summary.resumes, 0, "{}", finished.stderr);
    server.wait_for_line("the address at the relay is given back", WAIT_TIMEOUT);
}
