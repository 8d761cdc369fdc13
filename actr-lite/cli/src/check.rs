use std::process::ExitCode;

use actr_lite::{ActrSystem, Problems, Workload};
use actr_lite_terminal::print;
use anyhow::Context as _;

use crate::node_arguments::NodeArguments;

/// What a program does for `--check`: it reads all that it would read at its start, and says everything that is wrong, one
/// line for each problem. `workload` makes what the node would run.
///
/// Nothing listens, nobody is called, and nothing is written but what it says.
pub fn check<W: Workload>(
    arguments: &NodeArguments,
    workload: impl FnOnce(&ActrSystem) -> anyhow::Result<W>,
) -> ExitCode {
    let logging = arguments.start_logging(None);
    let problems = match find_problems(arguments, workload) {
        Ok(()) => return logging.end(say_valid(arguments)),
        Err(problems) => problems,
    };
    logging.end_with_all(problems)
}

fn find_problems<W: Workload>(
    arguments: &NodeArguments,
    workload: impl FnOnce(&ActrSystem) -> anyhow::Result<W>,
) -> Result<(), Problems<anyhow::Error>> {
    let system = arguments
        .system_or_problems()
        .map_err(|problems| problems.map(Into::into))?;
    let workload = workload(&system)?;
    system
        .attach(workload)
        .check()
        .map_err(|problems| problems.map(Into::into))
}

fn say_valid(arguments: &NodeArguments) -> anyhow::Result<ExitCode> {
    let text = format!(
        "{} is valid, and so are the files that it names\n",
        arguments.actr_toml().display()
    );
    print(&text).context("nothing is wrong, but stdout cannot be written to")?;
    Ok(ExitCode::SUCCESS)
}
