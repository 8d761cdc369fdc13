//! What a stream costs over WebRTC: between two official nodes, between one and one of this workspace, both ways, and between
//! two of this workspace. All four run in turns, each end as a process; medians are printed.
//!
//! `webrtc-figures ADDRESS [COUNT [REPETITIONS]]`, where `ADDRESS` is one of this machine's beside loopback, which official
//! nodes do not use. `RUST_LOG` makes all log to stderr.

use std::{
    env,
    io::{self, Write as _},
    net::{IpAddr, SocketAddr},
};

use actr_lite_registry::{Options, Registry};
use anyhow::{Context as _, Result, bail};
use bench::figures::percentile;
use interop::{
    figures::{
        pair::{Figures, Pair},
        role::{self, Kind},
    },
    logging,
};
use tokio::task::spawn_blocking;

const COUNT: u32 = 200_000;
const REPETITIONS: usize = 7;

const PAIRS: [Pair; 4] = [
    pair(Kind::Official, Kind::Official),
    pair(Kind::Own, Kind::Official),
    pair(Kind::Official, Kind::Own),
    pair(Kind::Own, Kind::Own),
];

const fn pair(server: Kind, client: Kind) -> Pair {
    Pair { server, client }
}

#[tokio::main]
async fn main() -> Result<()> {
    // What is not asked for costs nothing: there is no log to measure along.
    if env::var_os("RUST_LOG").is_some() {
        logging::start("");
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", whose, registry, _] => role::serve(kind(whose)?, registry.parse()?).await,
        ["receive", whose, registry, count] => role::receive(kind(whose)?, registry.parse()?, count.parse()?).await,
        [address, rest @ ..] => {
            let count = rest.first().map_or(Ok(COUNT), |count| count.parse()).context("COUNT")?;
            let repetitions = rest.get(1).map_or(Ok(REPETITIONS), |times| times.parse());
            compare(
                address.parse().context("ADDRESS")?,
                count,
                repetitions.context("REPETITIONS")?,
            )
            .await
        }
        [] => bail!("usage: webrtc-figures ADDRESS [COUNT [REPETITIONS]]"),
    }
}

fn kind(name: &str) -> Result<Kind> {
    match name {
        "Own" => Ok(Kind::Own),
        "Official" => Ok(Kind::Official),
        _ => bail!("{name} is no runtime"),
    }
}

/// Runs all in turns.
async fn compare(address: IpAddr, count: u32, repetitions: usize) -> Result<()> {
    let registry = Registry::bind(&SocketAddr::new(address, 0).to_string(), Options::default()).await?;
    let registry = registry.spawn();
    let at = registry.local_addr();
    let mut figures = PAIRS.map(|_| Vec::new());
    for repetition in 1..=repetitions {
        for (pair, figures) in PAIRS.into_iter().zip(&mut figures) {
            let run = spawn_blocking(move || pair.run(at, count)).await?;
            let run = run.with_context(|| format!("{pair:?}, repetition {repetition}"))?;
            print(&format!("{repetition}"), pair, run)?;
            figures.push(run);
        }
    }
    for (pair, figures) in PAIRS.into_iter().zip(&figures) {
        let median = |figure: fn(&Figures) -> f64| {
            let mut values: Vec<f64> = figures.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            percentile(&values, 0.5)
        };
        let medians = Figures {
            frames_per_s: median(|run| run.frames_per_s),
            cpu_us: median(|run| run.cpu_us),
            first_frame_ms: median(|run| run.first_frame_ms),
        };
        print("median", pair, medians)?;
    }
    Ok(())
}

fn print(what: &str, Pair { server, client }: Pair, figures: Figures) -> Result<()> {
    let Figures {
        frames_per_s,
        cpu_us,
        first_frame_ms,
    } = figures;
    writeln!(
        io::stdout(),
        "{what:>6}: {server:?} to {client:?}: {frames_per_s:.0} frames/s, {cpu_us:.2} us of CPU a frame, first frame after {first_frame_ms:.0} ms",
    )
    .context("stdout cannot be written to")
}
