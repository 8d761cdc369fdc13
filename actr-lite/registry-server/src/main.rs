//! Runs a registry alone, until SIGINT or SIGTERM.

mod arguments;
mod settings;

use std::process::ExitCode;

use actr_lite_net::inherited;
use actr_lite_registry::Registry;
use actr_lite_signals::Signals;
use actr_lite_terminal::{Verbosity, print, start_logging};
use actr_lite_tls::ServerTls;
use actr_lite_tokio_runtime::Apart;
use anyhow::Context as _;
use clap::Parser as _;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    arguments::{ADMIN_REMEDIES, Arguments, REMEDIES},
    settings::Settings,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Before there are threads.
    let adopted = inherited::adopt();
    let logging = start_logging(Verbosity::default(), arguments.log_format);
    if arguments.check {
        return match Settings::check(arguments) {
            Ok(()) => logging.end(say_valid()),
            Err(errors) => logging.end_with_all(errors),
        };
    }
    let run = || {
        adopted?;
        let runtime = actr_lite_tokio_runtime::start()?;
        let result = runtime.block_on(run(arguments));
        runtime.shutdown_background();
        result.map(|()| ExitCode::SUCCESS)
    };
    logging.end(run())
}

fn say_valid() -> anyhow::Result<ExitCode> {
    print("the arguments are valid, and so are the files that they name\n")
        .context("nothing is wrong, but stdout cannot be written to")?;
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("can't handle SIGINT, SIGTERM and SIGHUP")?;
    let mut start = Apart::spawn(bind(arguments));
    let started = tokio::select! {
        started = start.output() => {
            inherited::close_unused();
            Some(started?)
        }
        name = signals.next() => {
            info!(signal = name, "{name} before the registry was listening");
            None
        }
    };
    let Some((registry, tls)) = started else {
        start.cancel().await;
        return Ok(());
    };
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    let url = format!("{scheme}://{}/signaling/ws", registry.local_addr());
    info!(url, "registry listening on {url}");
    let page_scheme = if tls.is_some() { "https" } else { "http" };
    let page = format!("{page_scheme}://{}/", registry.local_addr());
    info!(url = page, "page at {page}");

    signals.ready(&format!("listening on {scheme}://{}", registry.local_addr()));
    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(registry.run(shutdown.clone()));
    tokio::select! {
        () = serving.as_mut() => return Ok(()),
        name = signals.next_with(|| reload(tls.as_ref())) => info!(signal = name, "{name}: stopping"),
    }
    shutdown.cancel();
    tokio::select! {
        () = serving => Ok(()),
        name = signals.next() => anyhow::bail!("second signal ({name}): stopped at once"),
    }
}

/// The registry as its arguments have it, and its certificate.
async fn bind(arguments: Arguments) -> anyhow::Result<(Registry, Option<ServerTls>)> {
    let Settings { listen, tls, options } = Settings::or_first_error(arguments)?;
    let mut registry = Registry::bind(&listen, options).await?;
    if let Some(tls) = &tls {
        registry = registry.with_tls(tls.clone());
    }
    registry.check_exposure(REMEDIES)?;
    registry.check_admin_exposure(ADMIN_REMEDIES)?;
    Ok((registry, tls))
}

fn reload(tls: Option<&ServerTls>) {
    match tls.map(ServerTls::reload) {
        Some(Ok(())) => info!("SIGHUP: certificate and key reloaded"),
        Some(Err(error)) => {
            warn!(reason = %error, "SIGHUP: certificate and key are not reloaded, the old ones stay in use: {error}");
        }
        None => info!("SIGHUP: nothing to reload without --tls-cert"),
    }
}
