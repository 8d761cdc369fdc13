//! What other nodes register harms nobody: not the clients of a server of the same type, and not those of another realm.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use actr_lite_wire::proto::{
    Acl, Realm, RegisterRequest, RegisterResponse, ServiceSpec, register_response::Result as RegisterResult,
};
use harness::{
    Deployment, FaultProxy, Process, Signal, Summary, WAIT_TIMEOUT,
    peer::{server_of_another_contract, server_type},
    unused_port,
};
use prost::Message as _;

/// A contract that no program here has.
const FOREIGN_CONTRACT: &str = "service_semantic:0000000000000000000000000000000000000000000000000000000000000000";

const SECRET_VARIABLE: &str = "ACTR_REALM_SECRET";

/// Enough frames that a stream is still running when something happens to it, and few enough to wait for their end.
const FRAMES: u64 = 100;

/// A registration as a server of the shipped type, without anything optional.
fn registration(realm_id: u32) -> RegisterRequest {
    RegisterRequest {
        actr_type: (&server_type()).into(),
        realm: Realm { realm_id },
        auth_mode: Some(2),
        ..RegisterRequest::default()
    }
}

fn foreign_contract() -> Option<ServiceSpec> {
    Some(ServiceSpec {
        name: server_type().to_string(),
        fingerprint: FOREIGN_CONTRACT.into(),
        ..ServiceSpec::default()
    })
}

/// Registers a node by one POST: it stays for a lease, without a heartbeat.
fn register(url: &str, request: &RegisterRequest) -> RegisterResult {
    register_with(url, request, "")
}

/// The same with a header for the realm's secret, if it is not empty.
fn register_with(url: &str, request: &RegisterRequest, header: &str) -> RegisterResult {
    let address = url.trim_start_matches("ws://").split('/').next().unwrap();
    let body = request.encode_to_vec();
    let head = format!(
        "POST /ais/register HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\nconnection: close\r\n{header}\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body_at = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    RegisterResponse::decode(&answer[body_at..]).unwrap().result.unwrap()
}

#[track_caller]
fn assert_registered(result: RegisterResult) {
    assert!(matches!(result, RegisterResult::Success(_)), "{result:?}");
}

/// A client whose stream runs.
fn running_client(deployment: &Deployment, url: &str) -> Process {
    let client = deployment
        .client(url, FRAMES)
        .arg("--json")
        .named("running client")
        .spawn();
    client.wait_for_line("Stream message 3 for", WAIT_TIMEOUT);
    client
}

#[test]
fn a_node_with_another_contract_harms_no_client() {
    let hidden = RegisterRequest {
        service_spec: foreign_contract(),
        hidden: Some(true),
        ..registration(1)
    };
    let without_address = RegisterRequest {
        service_spec: foreign_contract(),
        ..registration(1)
    };
    let with_address = RegisterRequest {
        ws_address: Some("ws://127.0.0.1:9".into()),
        ..without_address.clone()
    };
    let closed = RegisterRequest {
        acl: Some(Acl { rules: Vec::new() }),
        ..with_address.clone()
    };
    let without_contract = RegisterRequest {
        service_spec: None,
        ..with_address.clone()
    };
    let deployment = Deployment::new();
    let (registry, url) = deployment.start_registry();
    let proxy = FaultProxy::new();
    let server = deployment
        .server_at(&url)
        .args(["--interval", "30ms"])
        .advertised(proxy.url())
        .spawn();
    server.ready();
    proxy.relay_to(&server);
    let running = running_client(&deployment, &url);
    for request in [hidden, without_address, with_address, closed, without_contract] {
        assert_registered(register(&url, &request));
        Summary::of_success(&deployment.client(&url, 3).arg("--json").run(), 3);
    }
    // The operator is told.
    registry.wait_for_line(
        &format!("with the contract {FOREIGN_CONTRACT} instead of"),
        WAIT_TIMEOUT,
    );
    proxy.cut();
    let summary = Summary::of_success(&running.finish(), FRAMES);
    assert_eq!(summary.resumes, 1);
}

#[test]
fn a_client_waits_for_its_own_server_whatever_others_have() {
    let elsewhere = RegisterRequest {
        ws_address: Some("ws://127.0.0.1:9".into()),
        ..registration(2)
    };
    let closed = RegisterRequest {
        acl: Some(Acl { rules: Vec::new() }),
        realm: Realm { realm_id: 1 },
        ..elsewhere.clone()
    };
    let changed = RegisterRequest {
        acl: None,
        service_spec: foreign_contract(),
        ..closed.clone()
    };
    for (other, words) in [
        (elsewhere, "in other realms only"),
        (closed, "has no rule for"),
        (changed, "has changed"),
    ] {
        let deployment = Deployment::new();
        let (registry, url) = deployment.start_registry();
        let listen = format!("127.0.0.1:{}", unused_port());
        let start = |name| {
            let server = deployment.server_at(&url).args(["--interval", "30ms"]).named(name);
            let server = server.config("system.websocket.listen", &listen).spawn();
            (server.ready(), server)
        };
        let (first_id, first) = start("server");
        let running = running_client(&deployment, &url);
        assert_registered(register(&url, &other));
        // It leaves the registry first. The second signal stops it at once.
        first.signal(Signal::TERM);
        registry.wait_for_line(&format!("unregistered id={first_id}"), WAIT_TIMEOUT);
        first.signal(Signal::TERM);
        first.wait_exit(WAIT_TIMEOUT);
        let fresh = deployment.client(&url, 3).arg("--json").named("new client").spawn();
        fresh.wait_for_line(words, WAIT_TIMEOUT);
        let _second = start("server again");
        Summary::of_success(&fresh.finish(), 3);
        Summary::of_success(&running.finish(), FRAMES);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_upgrade_serves_clients_of_either_contract() {
    let deployment = Deployment::new();
    let (_registry, url) = deployment.start_registry();
    let upgraded = server_of_another_contract(&deployment, &url).await;
    let upgraded_id = upgraded.actor_id().to_string();
    let client = |deployment: &Deployment| deployment.client(&url, 3).arg("--json");

    // A client of the old contract waits as long as there are only upgraded servers.
    let early = client(&deployment).named("early client").spawn();
    early.wait_for_line("the contract of acme:StreamEchoServer:1.0.0 has changed", WAIT_TIMEOUT);
    let old = deployment.server_at(&url).spawn();
    let old_id = old.ready();
    assert_eq!(Summary::of_success(&early.finish(), 3).servers, [old_id.as_str()]);
    for _ in 0..4 {
        assert_eq!(
            Summary::of_success(&client(&deployment).run(), 3).servers,
            [old_id.as_str()]
        );
    }

    // One of the new contract asks the upgraded server and no other.
    old.signal(Signal::TERM);
    old.wait_exit(WAIT_TIMEOUT);
    let of_the_new = Deployment::new();
    let update = of_the_new.client_without_count(&url).arg("--update-lock").run();
    assert_eq!(update.code(), Some(0), "{}", update.stderr);
    let old_again = deployment.server_at(&url).named("old server").spawn();
    old_again.ready();
    let refused = client(&of_the_new).args(["--timeout", "1s"]).run();
    refused.assert_fails_with(&[&upgraded_id, "this server sends nothing"]);
    upgraded.shutdown().await;
}

#[test]
fn only_a_secret_that_names_a_type_registers_it() {
    const SERVERS_SECRET: &str = "only-for-servers-0123456789";
    const OTHERS_SECRET: &str = "for-all-others-0123456789";
    let deployment = Deployment::new();
    let realms = deployment.path("realms.toml");
    let text = format!(
        "1 = [\n    {{ secret = \"{SERVERS_SECRET}\", types = [\"acme+StreamEchoServer\"] }},\n    \"{OTHERS_SECRET}\",\n]\n"
    );
    fs::write(&realms, text).unwrap();
    let registry = deployment.registry(0).arg("--realms").arg(&realms).spawn();
    let url = registry.registry_url();
    let refused = deployment.server_at(&url).env(SECRET_VARIABLE, OTHERS_SECRET).run();
    let told = [
        "realm 1 may not register the type acme:StreamEchoServer:1.0.0",
        "add the type to the secret's `types`",
    ];
    refused.assert_fails_with(&told);
    let header = format!("x-actrix-realm-secret: {OTHERS_SECRET}\r\n");
    let raw = register_with(&url, &registration(1), &header);
    assert!(
        matches!(&raw, RegisterResult::Error(error) if error.message.contains(told[0])),
        "{raw:?}"
    );

    let server = deployment.server_at(&url).env(SECRET_VARIABLE, SERVERS_SECRET).spawn();
    let id = server.ready();
    let client = deployment
        .client(&url, 3)
        .arg("--json")
        .env(SECRET_VARIABLE, OTHERS_SECRET)
        .run();
    assert_eq!(Summary::of_success(&client, 3).servers, [id.as_str()]);
}
