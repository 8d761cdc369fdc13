use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// Says on stderr, in one line, what went wrong.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "error: {}", one_line(error));
    ExitCode::FAILURE
}

/// The error and its causes; a cause that the text has named already is not told twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_are_told_once_and_in_one_line() {
        let error = anyhow!("disk is\nfull")
            .context("cannot write a.toml: disk is\nfull")
            .context("stopping");
        assert_eq!(one_line(&error), "stopping: cannot write a.toml: disk is full");
    }
}
