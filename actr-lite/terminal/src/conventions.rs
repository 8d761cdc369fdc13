use std::{
    env,
    io::{self, IsTerminal as _},
};

use anstyle_query::{clicolor, clicolor_force, no_color, term_supports_color};

/// Whether stderr gets colours: on a terminal that knows them. `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM`
/// decide, in this order.
pub fn has_colour() -> bool {
    if no_color() {
        return false;
    }
    clicolor_force() || (io::stderr().is_terminal() && clicolor().unwrap_or(true) && term_supports_color())
}

/// Whether a line on stderr can be redrawn.
pub(crate) fn can_redraw() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The width of a terminal that does not report it.
const USUAL_WIDTH: u16 = 80;

/// How many characters a line of the terminal on stderr has.
pub(crate) fn width() -> u16 {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stderr())
        && size.ws_col > 0
    {
        return size.ws_col;
    }
    USUAL_WIDTH
}
