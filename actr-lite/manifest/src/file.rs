use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use crate::{ManifestError, Place};

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
        return Err(ManifestError::TooLarge { path: path.into() });
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

/// Makes `text` the content of `path`, whole or not at all: a new file in the same directory, flushed to the disk,
/// takes the place of the old one.
pub(crate) fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new.");
    // A temporary file is private by default; this one is to become a file like any other, as the umask has it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The rename is on the disk once the directory is.
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    Ok(())
}
