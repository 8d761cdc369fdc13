use std::fmt::Write as _;

use actr_lite_wire::peer_text::OneLine;

/// The error and its causes; a cause that the text already contains is not repeated.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let mut line = String::with_capacity(text.len());
    // Writing to a string can't fail.
    let _ = OneLine::new(&mut line).write_str(&text);
    line
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

    #[test]
    fn an_error_steers_no_terminal() {
        let error = anyhow!("it said \x1b]0;title\x07\r\x1b[2Kerror: another");
        assert_eq!(
            one_line(&error),
            "it said \\u{1b}]0;title\\u{7} \\u{1b}[2Kerror: another"
        );
    }
}
