//! A command line that means nothing is refused with exit code 2, before anything happens.

use harness::{Deployment, Launch, registry_url, unused_port};

/// Runs a client that could not succeed either if its arguments were taken.
#[track_caller]
fn assert_usage_error(launch: Launch, expected: &str) {
    let client = launch.run();
    assert_eq!(client.code(), Some(2), "{}", client.stderr);
    assert!(
        client.stderr.contains(expected),
        "{expected:?} is not in: {}",
        client.stderr
    );
    assert_eq!(client.stdout, "");
}

fn client(deployment: &Deployment) -> Launch {
    deployment.client_without_count(&registry_url(unused_port()))
}

#[test]
fn a_message_count_out_of_range_is_refused_with_the_limit() {
    let deployment = Deployment::new();
    for count in ["-1", "-2147483649", "2147483648", "3000000000", "99999999999999999999"] {
        assert_usage_error(client(&deployment).arg(count), "2147483647");
    }
}

#[test]
fn a_message_count_that_is_no_number_is_refused_with_the_limit() {
    let deployment = Deployment::new();
    for count in ["ten", "1.5", "1e3", "0x10", ""] {
        assert_usage_error(client(&deployment).arg(count), "2147483647");
    }
}

#[test]
fn a_missing_message_count_is_refused() {
    let deployment = Deployment::new();
    assert_usage_error(client(&deployment), "MESSAGE_COUNT");
}

#[test]
fn a_missing_actr_toml_argument_is_refused() {
    let deployment = Deployment::new();
    assert_usage_error(deployment.bare_client().arg("10"), "--actr-toml");
    assert_usage_error(deployment.bare_server(), "--actr-toml");
}

#[test]
fn a_duration_that_is_none_is_refused() {
    let deployment = Deployment::new();
    assert_usage_error(client(&deployment).args(["10", "--timeout", "soon"]), "--timeout");
    assert_usage_error(deployment.server().args(["--interval", "often"]), "--interval");
    for option in ["--timeout", "--idle-timeout"] {
        assert_usage_error(client(&deployment).args(["10", option, "0s"]), "longer than 0");
    }
}

#[test]
fn an_override_that_is_none_is_refused() {
    let deployment = Deployment::new();
    let refused = [
        ("realm", "KEY=VALUE"),
        ("=1", "dotted key"),
        ("system.deployment.realm_id=", "no value"),
        ("package.name=\"open", "not valid TOML"),
    ];
    for (argument, expected) in refused {
        assert_usage_error(client(&deployment).args(["10", "--config", argument]), expected);
        assert_usage_error(deployment.server().args(["--config", argument]), expected);
    }
}

#[test]
fn verbose_and_quiet_exclude_each_other() {
    let deployment = Deployment::new();
    assert_usage_error(client(&deployment).args(["10", "-v", "-q"]), "cannot be used with");
}

#[test]
fn help_names_every_option() {
    let deployment = Deployment::new();
    let programs = [
        (deployment.bare_server(), &["--actr-toml", "--config", "--interval"][..]),
        (
            deployment.bare_client(),
            &[
                "--actr-toml",
                "--config",
                "--timeout",
                "--json",
                "--update-lock",
                "--contract",
                "MESSAGE_COUNT",
            ],
        ),
    ];
    for (program, options) in programs {
        let help = program.arg("--help").run();
        assert_eq!(help.code(), Some(0));
        for option in options {
            assert!(help.stdout.contains(option), "{option} is not in: {}", help.stdout);
        }
    }
}
