//! What a call costs between two nodes of one process, over a loopback socket.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros make the functions, and a benchmark that can't go on has failed"
)]

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use actr_lite_registry::{Options, Registry};
use bench::server::BenchServer;
use bench::{
    client::{self, Connection},
    settings::{Lane, SERVER_TYPE, Side, system},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::{runtime::Runtime, task::JoinSet};

/// Calls at once.
const CONCURRENT: u64 = 64;

/// Calls are registrations of empty streams, the smallest call that the server takes. No two have the same name.
async fn call(connection: &Connection, number: u64) {
    connection.request(format!("{number:012}"), 0, 0).await.unwrap();
}

fn calls(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (registry, server, client, connection) = runtime.block_on(async {
        let registry = Registry::bind("127.0.0.1:0", Options::default()).await.unwrap().spawn();
        let address = registry.local_addr();
        let server = system(Side::Server { hosts_registry: false }, address, Lane::Websocket).unwrap();
        let server = server.attach(BenchServer).start().await.unwrap();
        let client = client::start(address, Lane::Websocket).await.unwrap();
        let id = client.context().discover(&SERVER_TYPE.parse().unwrap()).await.unwrap();
        let connection = Connection::shared(client.context(), &id);
        (registry, server, client, connection)
    });
    let number = Cell::new(0);
    let next = || number.replace(number.get() + 1);

    let mut group = criterion.benchmark_group("call on loopback");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one after another", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let begin = Instant::now();
                for _ in 0..rounds {
                    call(&connection, next()).await;
                }
                begin.elapsed()
            })
        });
    });
    group.throughput(Throughput::Elements(CONCURRENT));
    group.bench_function("64 at once", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let begin = Instant::now();
                for _ in 0..rounds {
                    let mut callers = JoinSet::new();
                    for _ in 0..CONCURRENT {
                        let (connection, number) = (connection.clone(), next());
                        callers.spawn(async move { call(&connection, number).await });
                    }
                    while let Some(result) = callers.join_next().await {
                        result.unwrap();
                    }
                }
                begin.elapsed()
            })
        });
    });
    group.finish();
    runtime.block_on(async {
        client.shutdown().await;
        server.shutdown().await;
        registry.shutdown().await;
    });
}

/// Short, as the whole is to be run often.
fn short() -> Criterion {
    Criterion::default()
        .without_plots()
        .nresamples(10_000)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
}

criterion_group! {
    name = benches;
    config = short();
    targets = calls
}
criterion_main!(benches);
