//! Makes the table of `tests/README.md` of what the fault tests have measured:
//! `cargo run -p harness --bin fault_table REPORT`.

use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
};

use anyhow::Context as _;
use harness::FaultReport;

fn main() -> anyhow::Result<()> {
    let path: PathBuf = env::args_os()
        .nth(1)
        .context("usage: fault_table REPORT (a file that the tests wrote with FAULT_REPORT=REPORT)")?
        .into();
    let lines = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    write!(io::stdout(), "{}", FaultReport::table(&lines)?).context("the table cannot be printed")
}
