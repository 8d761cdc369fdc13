//! Files that only their owner should get at: private keys, secrets, and the folders with them.
//!
//! - [`read`]: the content of one, within a bound, and whether others get at it
//! - [`check_folder`]: whether others can put something else into a folder
//! - [`Exposed`]: who gets at it, and what to do

mod access;

use std::{fs, io, path::Path};

pub use access::Exposed;
use access::{Access, Kind};

use crate::regular;

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
/// Those of [`regular::read`].
pub fn read(path: &Path, max_len: u64) -> io::Result<Content> {
    let regular::Content { bytes, metadata } = regular::read(path, max_len)?;
    let exposed = Access::of(&metadata).exposed(Kind::File, path);
    Ok(Content { bytes, exposed })
}

/// Who else can put something into a folder or take it away; reading what it has is up to its files.
///
/// # Errors
/// What the system says.
pub fn check_folder(path: &Path) -> io::Result<Option<Exposed>> {
    Ok(Access::of(&fs::metadata(path)?).exposed(Kind::Folder, path))
}
