use std::fmt;

use super::families::Families;
use crate::{counts::NodeCounts, event::Direction};

/// What a node has done.
pub(super) fn write(families: &mut Families<'_>, counts: &NodeCounts) -> fmt::Result {
    connections(families, counts)?;
    streams(families, counts)?;
    calls(families, counts)?;
    let results = counts
        .discoveries
        .iter()
        .map(|(result, count)| (vec![("result", *result)], *count));
    families.counter(
        "actr_discoveries",
        "Searches for nodes of a type, by what came of them",
        results,
    )?;
    let held = [(vec![], counts.held_bytes)];
    families.gauge(
        "actr_held_bytes",
        "Memory that peers make the node hold, as it is counted",
        held,
    )?;
    let reached = counts
        .limits_reached
        .iter()
        .map(|(key, count)| (vec![("key", *key)], *count));
    families.counter(
        "actr_limits_reached",
        "How often a limit of the node was reached, by its key",
        reached,
    )?;
    let kinds = counts.misbehaviour.by_kind();
    let kinds = kinds.iter().map(|(kind, count)| (vec![("kind", kind.word())], *count));
    families.counter(
        "actr_misbehaviour",
        "Connections of peers that misbehaved, by what they did",
        kinds,
    )
}

fn connections(families: &mut Families<'_>, counts: &NodeCounts) -> fmt::Result {
    let of = |direction: Direction, tls| {
        let count = counts.connections.get(&(direction, tls)).copied().unwrap_or_default();
        let tls = if tls { "true" } else { "false" };
        (vec![("direction", direction.word()), ("tls", tls)], count)
    };
    let open = [
        of(Direction::In, false),
        of(Direction::In, true),
        of(Direction::Out, false),
        of(Direction::Out, true),
    ];
    families.gauge("actr_connections", "Open connections with other nodes", open)?;
    let refused = counts
        .handshakes_refused
        .iter()
        .map(|(reason, count)| (vec![("reason", *reason)], *count));
    families.counter(
        "actr_handshakes_refused",
        "Connections from other nodes that were refused before they were open",
        refused,
    )?;
    let dropped = counts
        .datagrams_dropped
        .iter()
        .map(|(reason, count)| (vec![("reason", *reason)], *count));
    families.counter(
        "actr_datagrams_dropped",
        "Datagrams over WebRTC that nobody was there for, or no room",
        dropped,
    )
}

fn streams(families: &mut Families<'_>, counts: &NodeCounts) -> fmt::Result {
    let (sent, received) = (&counts.sent, &counts.received);
    let both = |out: u64, into: u64| {
        let label = |direction: Direction| vec![("direction", direction.word())];
        [(label(Direction::Out), out), (label(Direction::In), into)]
    };
    let running = both(sent.running, received.running);
    families.gauge("actr_streams", "Streams that run", running)?;
    let started = both(sent.started, received.started);
    families.counter("actr_streams_started", "Streams that have begun", started)?;
    let ended = counts
        .streams_ended
        .iter()
        .map(|((direction, reason), count)| (vec![("direction", direction.word()), ("reason", *reason)], *count));
    families.counter("actr_streams_ended", "Streams that are over, by why", ended)?;
    let frames = both(sent.frames, received.frames);
    families.counter(
        "actr_frames",
        "Frames of streams that were sent, or handed to the application",
        frames,
    )?;
    let bytes = both(sent.bytes, received.bytes);
    families.counter("actr_payload_bytes", "Payload bytes of those frames", bytes)?;
    let dropped = both(sent.dropped, received.dropped);
    families.counter(
        "actr_frames_dropped",
        "Frames of latency-first streams that were dropped, or are missing",
        dropped,
    )?;
    for (name, help, count) in [
        (
            "actr_frames_duplicate",
            "Frames that came again and were dropped",
            received.duplicates,
        ),
        (
            "actr_frames_unknown",
            "Frames of streams that nobody had registered, or of another sender",
            counts.unknown_frames,
        ),
        (
            "actr_credit_waits",
            "How often a sender had to wait for credit",
            counts.credit_waits,
        ),
        (
            "actr_stream_resumes",
            "Streams that went on where another broke",
            counts.resumes,
        ),
    ] {
        families.counter(name, help, [(vec![], count)])?;
    }
    Ok(())
}

fn calls(families: &mut Families<'_>, counts: &NodeCounts) -> fmt::Result {
    let ended = counts.calls.iter().flat_map(|route| {
        let codes = route.by_code.iter();
        codes.map(|(code, count)| (vec![("route", route.route), ("code", *code)], *count))
    });
    families.counter(
        "actr_calls",
        "Calls of other nodes that are over, by how they ended",
        ended,
    )?;
    let durations = counts
        .calls
        .iter()
        .map(|route| (vec![("route", route.route)], &route.durations));
    families.durations("actr_call_duration_seconds", "How long those calls took", durations)?;
    let served = [(vec![], counts.calls_served_now)];
    families.gauge(
        "actr_calls_in_progress",
        "Calls of other nodes that are served now",
        served,
    )?;
    let waiting = [(vec![], counts.calls_waiting)];
    families.gauge(
        "actr_calls_waiting",
        "Calls to other nodes that wait for their answers",
        waiting,
    )
}
