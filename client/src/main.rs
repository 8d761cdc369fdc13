//! The client of stream-register: it asks a server for a stream of messages and receives them.

mod arguments;
mod local_stream_service;
mod summary;

use std::process::ExitCode;

use actr_lite::{Budget, ResumableStream, ResumeOptions};
use actr_lite_cli::RunningNode;
use anyhow::{Context as _, bail};
use clap::Parser;
use protos::stream_client::StartStreamRequest;
use tokio::select;

use crate::{arguments::Arguments, local_stream_service::LocalStreamService, summary::Summary};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.node.is_check() {
        let resume = ResumeOptions::new(Budget::new(arguments.timeout));
        return actr_lite_cli::check(&arguments.node, |system| {
            Ok(LocalStreamService::new(system.dependency("server")?, resume).0)
        });
    }
    actr_lite_cli::run(&arguments.node, run(&arguments))
}

/// Starts the node, calls its own service, which starts the stream, and waits until the stream is over.
async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Some(message_count) = arguments.message_count else {
        return actr_lite_cli::update_lock(&arguments.node, &arguments.lock, arguments.timeout).await;
    };
    let count = message_count.unsigned_abs().into();
    let budget = Budget::new(arguments.timeout);
    let system = arguments.node.system()?;
    let resume = ResumeOptions::new(budget).with_idle_timeout(arguments.idle_timeout);
    let (service, mut started) = LocalStreamService::new(system.dependency("server")?, resume);
    let mut node = RunningNode::start(system.attach(service).register_timeout(budget.left())).await?;
    let (actr, mut live) = (node.actr().clone(), None);
    let received = node
        .until_signal(async {
            actr.call_with_retry(StartStreamRequest { message_count }, budget)
                .await?;
            let stream = started.recv().await.context("the handler started no stream")?;
            receive(live.insert(stream), count).await
        })
        .await;
    let unknown_frames = actr.unknown_frames();
    node.shutdown().await;
    let Some(stream) = live else {
        return received.map(|()| ExitCode::FAILURE);
    };
    let summary = Summary::new(&stream, count, unknown_frames);
    summary.print(arguments.json)?;
    match received {
        Ok(()) if summary.is_complete() => Ok(ExitCode::SUCCESS),
        Ok(()) => bail!(summary.shortfall()),
        Err(error) => Err(error.context(summary.shortfall())),
    }
}

/// Waits until the stream is over, and shows its progress.
async fn receive(stream: &ResumableStream, count: u64) -> anyhow::Result<()> {
    select! {
        ended = stream.ended() => Ok(ended?),
        () = actr_lite_progress::show(|| stream.progress().delivered, count, "messages"), if count > local_stream_service::MAX_LOGGED => Ok(()),
    }
}
