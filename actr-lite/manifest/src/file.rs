use std::{io, path::Path};

use actr_lite_files::regular as regular_file;

use crate::{error::ManifestError, place::Place};

/// The most bytes that are read of a file: a thousand times what a manifest needs, and no burden on memory.
pub const MAX_FILE_LEN: usize = 1 << 20;

/// The text of a file, which is at most [`MAX_FILE_LEN`] bytes of UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String, ManifestError> {
    let content = regular_file::read(path, MAX_FILE_LEN as u64).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ManifestError::NotFound {
            path: path.into(),
            looked_in: Vec::new(),
        },
        io::ErrorKind::IsADirectory => ManifestError::Directory { path: path.into() },
        io::ErrorKind::FileTooLarge => ManifestError::TooLarge {
            path: path.into(),
            limit: MAX_FILE_LEN,
        },
        _ => ManifestError::Read {
            path: path.into(),
            error,
        },
    })?;
    String::from_utf8(content.bytes).map_err(|error| ManifestError::NotUtf8 {
        place: Place::in_text(path, error.as_bytes(), error.utf8_error().valid_up_to()),
    })
}
