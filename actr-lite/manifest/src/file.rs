use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use crate::{error::ManifestError, place::Place};

/// The most bytes that are read of a file: a thousand times what a manifest needs, and no burden on memory.
pub const MAX_FILE_LEN: usize = 1 << 20;

/// The text of a file, which is at most [`MAX_FILE_LEN`] bytes of UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String, ManifestError> {
    let bytes = read_bytes(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ManifestError::NotFound {
            path: path.into(),
            looked_in: Vec::new(),
        },
        io::ErrorKind::IsADirectory => ManifestError::Directory { path: path.into() },
        _ => ManifestError::Read {
            path: path.into(),
            error,
        },
    })?;
    if bytes.len() > MAX_FILE_LEN {
        return Err(ManifestError::TooLarge {
            path: path.into(),
            limit: MAX_FILE_LEN,
        });
    }
    String::from_utf8(bytes).map_err(|error| ManifestError::NotUtf8 {
        place: Place::in_text(path, error.as_bytes(), error.utf8_error().valid_up_to()),
    })
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let one_too_many = MAX_FILE_LEN as u64 + 1;
    File::open(path)?.take(one_too_many).read_to_end(&mut bytes)?;
    Ok(bytes)
}
