//! What is wrong with an Actr.toml is said in one line that names the file, the line and the key; exit code 1.

use std::{fs, path::Path};

use harness::{Deployment, Finished, Launch, Summary, registry_url, unused_port};

#[track_caller]
fn assert_one_line(program: &Finished, expected: &[&str]) {
    program.assert_fails_with(expected);
    assert_eq!(program.stderr.lines().count(), 1, "one line: {}", program.stderr);
    assert_eq!(program.stdout, "");
}

/// Both programs, each with its own Actr.toml after `old` was replaced with `new` in it.
fn both_with(deployment: &Deployment, old: &str, new: &str) -> [(Launch, String); 2] {
    ["server", "client"].map(|name| {
        let path = deployment.path(&format!("{name}/Actr.toml"));
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().position(|line| line.contains(old)).unwrap() + 1;
        fs::write(&path, text.replacen(old, new, 1)).unwrap();
        let launch = match name {
            "server" => deployment.server(),
            _ => deployment.client(&registry_url(unused_port()), 10),
        };
        (launch, format!("{}:{line}", path.display()))
    })
}

#[test]
fn a_missing_file_is_named() {
    let deployment = Deployment::new();
    for program in [deployment.bare_server(), deployment.bare_client().arg("10")] {
        let missing = deployment.path("nowhere/Actr.toml");
        let finished = program.arg("--actr-toml").arg(&missing).run();
        assert_one_line(&finished, &[missing.to_str().unwrap(), "no such file"]);
    }
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let deployment = Deployment::new();
    for (program, place) in both_with(&deployment, "realm_id = 1", "realm_id 1") {
        assert_one_line(&program.run(), &[&place, "not valid TOML"]);
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let deployment = Deployment::new();
    for (program, place) in both_with(&deployment, "realm_id = 1", "relam_id = 1") {
        assert_one_line(
            &program.run(),
            &[
                &place,
                "system.deployment.relam_id",
                "did you mean system.deployment.realm_id?",
            ],
        );
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_the_expected_one() {
    let deployment = Deployment::new();
    for (program, place) in both_with(&deployment, "realm_id = 1", "realm_id = \"one\"") {
        assert_one_line(&program.run(), &[&place, "system.deployment.realm_id", "expected"]);
    }
}

#[test]
fn a_missing_key_is_asked_for() {
    let deployment = Deployment::new();
    for (program, _) in both_with(&deployment, "edition = 1", "") {
        assert_one_line(&program.run(), &["Actr.toml", "edition is missing"]);
    }
}

#[test]
fn an_override_with_an_unknown_key_names_the_nearest_one() {
    let deployment = Deployment::new();
    for program in [deployment.server(), deployment.client(&registry_url(unused_port()), 10)] {
        let finished = program.config("system.deployment.relam_id", 2).run();
        assert_one_line(
            &finished,
            &["--config", "relam_id", "did you mean system.deployment.realm_id?"],
        );
    }
}

#[test]
fn an_override_with_a_wrong_value_says_what_is_expected() {
    let deployment = Deployment::new();
    for program in [deployment.server(), deployment.client(&registry_url(unused_port()), 10)] {
        let finished = program.config("system.deployment.realm_id", "one").run();
        assert_one_line(&finished, &["--config", "system.deployment.realm_id", "expected"]);
    }
}

#[test]
fn an_export_that_no_service_is_defined_in_is_refused() {
    let deployment = Deployment::new();
    let path = deployment.path("server/Actr.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("stream_server.proto", "stream_sever.proto")).unwrap();
    assert_one_line(&deployment.server().run(), &["stream_sever.proto"]);
}

#[test]
fn a_relative_path_is_found_here_and_then_in_the_package() {
    let deployment = Deployment::new();
    let (here, elsewhere) = (deployment.path("server"), deployment.path("protos"));
    let server = |directory: &Path| {
        let launch = deployment
            .bare_server()
            .current_dir(directory)
            .args(["--actr-toml", "Actr.toml"]);
        launch.config("system.signaling.url", registry_url(0))
    };
    server(&here).spawn().ready();
    server(&elsewhere).env("CARGO_MANIFEST_DIR", &here).spawn().ready();

    // The client's would do too, if the working directory's were not taken: it has no exports.
    server(&here)
        .env("CARGO_MANIFEST_DIR", deployment.path("client"))
        .spawn()
        .ready();

    let finished = server(&elsewhere).run();
    assert_one_line(&finished, &["Actr.toml", elsewhere.to_str().unwrap()]);
    let finished = server(&elsewhere).env("CARGO_MANIFEST_DIR", &elsewhere).run();
    assert_one_line(&finished, &["Actr.toml", elsewhere.to_str().unwrap()]);
}

#[test]
fn the_client_finds_its_lock_beside_the_file_in_the_package() {
    let deployment = Deployment::new();
    let (_server, url) = deployment.start_server(&[]);
    let client = deployment
        .bare_client()
        .current_dir(&deployment.path("protos"))
        .env("CARGO_MANIFEST_DIR", deployment.path("client"))
        .args(["--actr-toml", "Actr.toml", "5", "--json"])
        .config("system.signaling.url", url);
    Summary::of_success(&client.run(), 5);
}
