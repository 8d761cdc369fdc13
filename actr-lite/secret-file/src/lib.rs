//! Files that only their owner should get at: private keys, secrets, and the folders with them.
//!
//! - [`read`]: the content of one, within a bound, and whether others get at it
//! - [`check_folder`]: whether others can put something else into a folder
//! - [`Exposed`]: who gets at it, and what to do

mod access;

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

pub use access::Exposed;
use access::{Access, Kind};

/// What is in a file.
#[derive(Debug)]
pub struct Content {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Who else gets at it: it is for the caller to refuse such a file or to say so.
    pub exposed: Option<Exposed>,
}

/// Reads a file of at most `max_len` bytes.
///
/// # Errors
/// What the system says; [`io::ErrorKind::FileTooLarge`] for one that is longer.
pub fn read(path: &Path, max_len: u64) -> io::Result<Content> {
    let file = File::open(path)?;
    let exposed = Access::of(&file.metadata()?).exposed(Kind::File, path);
    let mut bytes = Vec::new();
    if file.take(max_len.saturating_add(1)).read_to_end(&mut bytes)? as u64 > max_len {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {max_len} bytes"),
        ));
    }
    Ok(Content { bytes, exposed })
}

/// Who else can put something into a folder or take it away; reading what it has is up to its files.
///
/// # Errors
/// What the system says.
pub fn check_folder(path: &Path) -> io::Result<Option<Exposed>> {
    Ok(Access::of(&fs::metadata(path)?).exposed(Kind::Folder, path))
}
