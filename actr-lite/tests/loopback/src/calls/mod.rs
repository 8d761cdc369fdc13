//! Calls: answers, errors, timeouts, cancellation, and who may call what.

mod answer;
mod caller;
mod end;
mod many;

use crate::harness::messages::Ask;

fn ask(text: &str) -> Ask {
    Ask {
        text: text.into(),
        ..Ask::default()
    }
}
