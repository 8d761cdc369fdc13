//! A command as a person would type it.

use std::{
    env,
    ffi::OsStr,
    fmt::{self, Display, Formatter},
    process::Command,
};

/// Shows a command as a person would type it in a shell: program and arguments, quoted where they have to be, without
/// what is set up around them.
#[derive(Debug, Clone, Copy)]
pub struct CommandLine<'a>(pub &'a Command);

impl Display for CommandLine<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let program = self.0.get_program();
        // Cargo is called by its full path in a toolchain, which nobody types.
        let is_cargo = env::var_os("CARGO").is_some_and(|cargo| cargo == program);
        f.write_str(&word(if is_cargo { OsStr::new("cargo") } else { program }))?;
        self.0
            .get_args()
            .try_for_each(|argument| write!(f, " {}", word(argument)))
    }
}

/// A word of a shell's command line.
fn word(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let mut command = Command::new("/opt/my tools/run");
        command
            .args(["--config", "system.signaling.url=ws://127.0.0.1:1/", "it's", ""])
            .env("SECRET", "1")
            .env_remove("CARGO_PKG_NAME")
            .current_dir("/");
        assert_eq!(
            CommandLine(&command).to_string(),
            r"'/opt/my tools/run' --config system.signaling.url=ws://127.0.0.1:1/ 'it'\''s' ''"
        );
    }
}
