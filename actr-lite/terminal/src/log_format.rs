use std::str::FromStr;

use thiserror::Error;
use tracing::Level;

use crate::json_line::JsonLine;

/// What a log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people: `message name=value`, with colours on a terminal.
    #[default]
    Text,
    /// For programs: each line is a JSON object.
    Json,
}

/// There is no such format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected text or json")]
pub struct UnknownLogFormat;

impl LogFormat {
    /// What the formats are called, the default first.
    pub const NAMES: [&str; 2] = ["text", "json"];

    /// A line that is no event of `tracing`; `prefix` is for people.
    pub(crate) fn line(self, level: Level, prefix: &str, text: &str) -> String {
        match self {
            Self::Text => format!("{prefix}{text}\n"),
            Self::Json => {
                let mut line = JsonLine::new(level);
                line.text("message", &text);
                line.end()
            }
        }
    }
}

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(name: &str) -> Result<Self, UnknownLogFormat> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(UnknownLogFormat),
        }
    }
}
