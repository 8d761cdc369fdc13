use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actr_lite::{ActrRef, CallOptions, Signals};
use actr_lite_cli::print;
use anyhow::{Context as _, anyhow, bail};
use protos::stream_client::StartStreamRequest;
use tracing::{debug, info};

use crate::{
    arguments::Arguments,
    local_stream_service::{LocalStreamService, Started},
    outcome::Outcome,
    progress,
    reception::Reception,
};

/// The alias, in `[dependencies]` of Actr.toml, of who sends the stream.
const SERVER: &str = "server";

/// What the call within the process may take beyond the wait that its handler bounds itself.
const LOCAL_CALL_SLACK: Duration = Duration::from_secs(10);

/// Does what the command line asks for.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let Some(message_count) = arguments.message_count else {
        tokio::select! {
            updated = update_lock(arguments) => return updated,
            signal = signals.next() => bail!("stopped by {signal}; the lock file is as it was"),
        }
    };
    let system = arguments.node.system()?;
    let server_type = system.dependency(SERVER).cloned();
    let server_type = server_type.with_context(|| {
        format!("Actr.toml has no dependency {SERVER:?}: add {SERVER} = {{ actr_type = \"…\" }} to [dependencies]")
    })?;
    let reception = Arc::new(Reception::default());
    let started = Arc::new(Mutex::new(None));
    let service = LocalStreamService::new(
        server_type,
        arguments.timeout,
        Arc::clone(&reception),
        Arc::clone(&started),
    );
    let node = system.attach(service).register_timeout(arguments.timeout);
    let actr = tokio::select! {
        actr = node.start() => actr?,
        signal = signals.next() => bail!("stopped by {signal} before the node was up"),
    };
    debug!("client ready as {}", actr.actor_id());
    let mut live = None;
    let result = tokio::select! {
        result = receive(&actr, message_count, arguments.timeout, &started, &mut live) => result,
        () = progress::show(Arc::clone(&reception), message_count.unsigned_abs().into()) => Ok(()),
        signal = signals.next_for(&actr) => {
            info!("{signal}: stopping; once more to stop at once");
            Err(anyhow!("stopped by {signal}"))
        }
    };
    let live = live.or_else(|| take(&started));
    let stream = live.map(|Started { at, stream }| {
        let (stream_id, progress) = (stream.stream_id().clone(), stream.progress());
        (stream_id, progress, reception.ended().unwrap_or_else(Instant::now) - at)
    });
    let unknown_frames = actr.unknown_frames();
    tokio::select! {
        () = actr.shutdown() => {}
        _ = signals.next() => {}
    }
    let Some((stream_id, progress, duration)) = stream else {
        return result.map(|()| ExitCode::FAILURE);
    };
    let outcome = Outcome::new(
        &stream_id,
        message_count.unsigned_abs().into(),
        &reception,
        progress,
        duration,
        unknown_frames,
    );
    print_outcome(&outcome, arguments.json)?;
    match result {
        Ok(()) if outcome.is_success() => Ok(ExitCode::SUCCESS),
        Ok(()) => bail!("stream {stream_id} is not complete: {}", outcome.shortfall()),
        Err(error) => Err(error.context(format!("stream {stream_id} is not complete: {}", outcome.shortfall()))),
    }
}

/// Asks for the stream, and waits until it is over. `live` holds it once there is one.
async fn receive(
    actr: &ActrRef,
    message_count: i32,
    patience: Duration,
    started: &Mutex<Option<Started>>,
    live: &mut Option<Started>,
) -> anyhow::Result<()> {
    let options = CallOptions {
        timeout: patience + LOCAL_CALL_SLACK,
        ..CallOptions::default()
    };
    let response = actr.call_with(StartStreamRequest { message_count }, options).await?;
    info!("{}", response.message);
    let live = live.insert(take(started).context("the stream was registered and is not known")?);
    Ok(live.stream.ended().await?)
}

fn take(started: &Mutex<Option<Started>>) -> Option<Started> {
    started.lock().unwrap_or_else(PoisonError::into_inner).take()
}

async fn update_lock(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let path = arguments.node.system()?.update_lock(arguments.timeout).await?;
    print(&format!("wrote {}\n", path.display())).context("the lock file is written, but stdout cannot be")?;
    Ok(ExitCode::SUCCESS)
}

fn print_outcome(outcome: &Outcome, json: bool) -> anyhow::Result<()> {
    let text = if json {
        serde_json::to_string(outcome)?
    } else {
        outcome.to_string()
    };
    print(&format!("{text}\n")).context("the summary cannot be printed")
}
