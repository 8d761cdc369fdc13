//! The commands of docs/compatibility.md do what it says, on a machine that has only what the page asks for.

use std::fs;

use harness::{Checkout, Deployment, Launch, Namespace, Process, Summary, WAIT_TIMEOUT, own_program};

/// What a line of the page with a command begins with.
const PROMPT: &str = "$ ";

/// What makes our programs log over which lane they are connected, as the page says.
const RUST_LOG: &str = "info,actr_lite=debug";

const OVER_WEBRTC: &str = "connected over WebRTC peer=";

/// A machine with loopback addresses alone, and the commands that the page shows.
struct Scene {
    machine: Namespace,
    deployment: Deployment,
    commands: Vec<String>,
}

impl Scene {
    /// None, and why on stderr, where no such machine can be made.
    #[allow(clippy::print_stderr, reason = "a test that shows nothing says so")]
    fn new() -> Option<Self> {
        let machine = match Namespace::try_new("page") {
            Ok(machine) => machine,
            Err(error) => {
                eprintln!("skipped, as no network namespace can be made: {error:#}");
                return None;
            }
        };
        let page = Checkout::of_this_run().unwrap().path("docs/compatibility.md");
        let page = fs::read_to_string(page).unwrap();
        let lines = page.lines().filter_map(|line| line.strip_prefix(PROMPT));
        // What follows is a comment.
        let commands = lines.map(|line| line.split(" #").next().unwrap().trim_end().to_owned());
        Some(Self {
            machine,
            deployment: Deployment::with_webrtc(),
            commands: commands.collect(),
        })
    }

    /// What the page writes behind this, in the one command that begins so.
    fn rest_of(&self, beginning: &str) -> Vec<&str> {
        let rests = self
            .commands
            .iter()
            .filter_map(|command| command.strip_prefix(beginning));
        let rests: Vec<&str> = rests.collect();
        let [rest] = rests.as_slice() else {
            panic!("{} commands begin with {beginning:?}: {:?}", rests.len(), self.commands);
        };
        rest.split_whitespace().collect()
    }

    fn add_address(&self) {
        let arguments = self.rest_of("sudo ip ");
        self.machine.run("ip", &arguments).unwrap();
    }

    fn launch(&self, command: &str, program: Launch) -> Launch {
        let program = program.args(self.rest_of(command));
        self.machine.on(program.current_dir(&self.deployment.path("")))
    }

    fn server(&self) -> Process {
        let server = self.launch(
            "cargo run -p server --features webrtc -- ",
            self.deployment.bare_server(),
        );
        let server = server.env("RUST_LOG", RUST_LOG).spawn();
        server.ready();
        server
    }

    fn official(&self, role: &str) -> Launch {
        let command = format!("cd actr-lite/tests/interop && cargo run --bin official-node -- {role}");
        let node = Launch::new(&format!("official node, {role}"), &own_program("official-node"));
        self.launch(&command, node.arg(role))
    }
}

#[test]
fn our_server_streams_to_an_official_client_as_shown() {
    let Some(scene) = Scene::new() else { return };
    scene.add_address();
    let server = scene.server();
    let client = scene.official("receive").run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    assert!(
        client
            .stdout
            .contains("\n10000 of 10000 frames in order over WebRTC in "),
        "{}",
        client.stdout
    );
    server.wait_for_line(OVER_WEBRTC, WAIT_TIMEOUT);
}

#[test]
fn an_official_server_streams_to_our_client_as_shown() {
    let Some(scene) = Scene::new() else { return };
    scene.add_address();
    let registry = scene.launch(
        "cargo run -p actr-lite-registry-server",
        scene.deployment.bare_registry(),
    );
    let registry = registry.spawn();
    registry.registry_url();
    let server = scene.official("serve").spawn();
    server.wait_for_line("official server ready as ", WAIT_TIMEOUT);
    let client = scene.launch(
        "cargo run -p client --features webrtc -- ",
        scene.deployment.bare_client(),
    );
    let client = client.arg("--json").env("RUST_LOG", RUST_LOG).run();
    Summary::of_success(&client, 10_000);
    assert!(client.stderr.contains(OVER_WEBRTC), "{}", client.stderr);
}

#[test]
fn an_official_node_says_that_it_needs_an_address() {
    let Some(scene) = Scene::new() else { return };
    let client = scene.official("receive").run();
    assert_eq!((client.code(), client.stdout.as_str()), (Some(1), ""));
    let advice = scene.rest_of("sudo ip ").join(" ");
    assert!(
        client.stderr.contains(&format!("`sudo ip {advice}`")),
        "{}",
        client.stderr
    );
}
