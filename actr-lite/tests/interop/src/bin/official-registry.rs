//! The published mock registry as a program of its own: `official-registry HOST:PORT` says `official registry at URL`, and runs
//! until it is killed.

use std::{
    env, future,
    io::{self, Write as _},
};

use actr_mock_actrix::MockActrixServer;
use anyhow::Context as _;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = env::args().nth(1).context("usage: official-registry HOST:PORT")?;
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let _registry = MockActrixServer::start_with_listener(listener).await?;
    writeln!(io::stdout(), "official registry at ws://{address}/signaling/ws")?;
    future::pending().await
}
