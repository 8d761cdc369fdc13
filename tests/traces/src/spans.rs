use harness::Summary;
use programs::Signal;

use crate::{
    collector::Collector,
    messages::{Span, text},
    programs_with_traces::{deployment, traced},
};

const START_STREAM: &str = "stream_client.LocalStreamService.StartStream";
const REGISTER_STREAM: &str = "stream_server.StreamServer.RegisterStream";

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// The only span of this service and name for which this holds.
#[track_caller]
fn only(spans: &[(String, Span)], service: &str, name: &str, holds: impl Fn(&Span) -> bool) -> Span {
    let mut found = spans
        .iter()
        .filter(|(by, span)| by == service && span.name == name && holds(span));
    match (found.next(), found.next()) {
        (Some((_, span)), None) => span.clone(),
        _ => panic!("not one {name} of {service} in {spans:#?}"),
    }
}

#[test]
fn one_trace_goes_from_the_client_to_the_servers_stream() {
    let collector = Collector::start();
    let deployment = deployment();
    let server = traced(deployment.server(), &collector.url()).spawn();
    let url = server.registry_url();
    server.ready();
    let client = traced(deployment.client(&url, 10), &collector.url())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme")
        .arg("--json")
        .run();
    let summary = Summary::of_success(&client, 10);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code(), Some(0));

    let spans = collector.spans();
    let any = |_: &Span| true;
    let start = only(&spans, "client", START_STREAM, any);
    let call = only(&spans, "client", REGISTER_STREAM, any);
    let received = only(&spans, "client", "receive_stream", any);
    let discovery = only(&spans, "client", "discover", any);
    let dial = only(&spans, "client", "dial", any);
    let served = only(&spans, "server", REGISTER_STREAM, any);
    let sent = only(&spans, "server", "send_stream", any);

    assert!(start.parent_span_id.is_empty(), "a program begins the trace: {start:?}");
    for (child, parent) in [
        (&discovery, &start),
        (&received, &start),
        (&call, &start),
        (&dial, &call),
        (&served, &call),
        (&sent, &served),
    ] {
        assert_eq!(child.trace_id, start.trace_id, "{child:?}");
        assert_eq!(
            child.parent_span_id, parent.span_id,
            "{} of {}",
            child.name, parent.name
        );
        assert!(child.start <= child.end && parent.start <= child.start, "{child:?}");
        assert_eq!(child.status.clone().unwrap_or_default().code, 0, "{child:?}");
    }
    assert_eq!((call.kind, served.kind), (CLIENT, SERVER));
    for (stream, frames) in [(&sent, "10"), (&received, "10")] {
        assert_eq!(text(&stream.attributes, "stream"), summary.stream_id);
        assert_eq!(text(&stream.attributes, "frames"), frames);
        assert_eq!(text(&stream.attributes, "end"), "finished");
        assert!(stream.events.is_empty(), "nothing for each frame: {stream:?}");
    }
    assert!(
        text(&served.attributes, "peer").contains("StreamEchoClient"),
        "{served:?}"
    );
    for service in ["server", "client"] {
        let registration = only(&spans, service, "register", any);
        assert!(
            text(&registration.attributes, "id").contains("acme:"),
            "{registration:?}"
        );
        assert_ne!(registration.trace_id, start.trace_id);
    }
    let heads = collector.heads();
    assert!(
        heads
            .iter()
            .all(|head| head.starts_with("POST /v1/traces HTTP/1.1\r\n")),
        "{heads:?}"
    );
    assert!(
        heads.iter().any(|head| head.contains("x-tenant: acme\r\n")),
        "{heads:?}"
    );
}

#[test]
fn what_fails_is_an_error_of_its_span() {
    let collector = Collector::start();
    let deployment = deployment();
    let server = traced(deployment.server(), &collector.url())
        .config("system.limits.max_streams", 1)
        .spawn();
    let url = server.registry_url();
    server.ready();
    let client = traced(deployment.client(&url, 1_000_000_000), &collector.url()).spawn();
    server.wait_for_line("sending 1000000000 frames", programs::WAIT_TIMEOUT);
    client.signal(Signal::KILL);
    server.wait_for_line("ended after ", programs::WAIT_TIMEOUT);
    server.signal(Signal::TERM);
    server.finish();
    let sent = only(&collector.spans(), "server", "send_stream", |_| true);
    assert_eq!(sent.status.unwrap_or_default().code, 2);
    assert_eq!(text(&sent.attributes, "end"), "peer_gone");
    assert!(!text(&sent.attributes, "reason").is_empty());
}

#[test]
fn a_trace_that_its_first_node_does_not_sample_is_sent_by_none() {
    let collector = Collector::start();
    let deployment = deployment();
    let server = traced(deployment.server(), &collector.url())
        .env("OTEL_SERVICE_NAME", "echo")
        .spawn();
    let url = server.registry_url();
    server.ready();
    let client = traced(deployment.client(&url, 3), &collector.url()).env("OTEL_TRACES_SAMPLER", "always_off");
    assert_eq!(client.run().code(), Some(0));
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code(), Some(0));
    let spans = collector.spans();
    only(&spans, "echo", "register", |_| true);
    let of_call = spans
        .iter()
        .find(|(service, span)| service != "echo" || span.name != "register");
    assert_eq!(of_call, None);
}
