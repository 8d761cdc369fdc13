//! Giving a file another content.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use actr_lite_files::regular as regular_file;
use thiserror::Error;

/// How many links one path may lead through: as many as Linux follows.
const MAX_LINKS: usize = 40;

/// Why a file does not have another content.
#[derive(Debug, Error)]
pub(crate) enum ReplaceError {
    /// It was not tried, or failed before anything was changed.
    #[error(transparent)]
    Unchanged(#[from] io::Error),
    /// It leads to a directory, a device or the like.
    #[error("it is no regular file")]
    NotAFile,
    /// Each of the links leads to another one.
    #[error("it leads through more than {MAX_LINKS} links")]
    TooManyLinks,
    /// Neither way is open.
    #[error(
        "it can't be replaced ({replace}), and not be written in place ({in_place}): make the file writable, or, where a \
         container has it as a mount of its own, mount its folder instead"
    )]
    NeitherWay { replace: io::Error, in_place: io::Error },
    /// The disk refused in the middle, and then again.
    #[error("it could be written only in part ({0}): write it once more")]
    Partial(io::Error),
}

/// Where `path` leads: links that end nowhere are followed too, so that a file can be made there.
pub(crate) fn follow_links(path: &Path) -> Result<PathBuf, ReplaceError> {
    let mut path = path.to_path_buf();
    for _ in 0..=MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            return Ok(path);
        };
        path = directory_of(&path).join(target);
    }
    Err(ReplaceError::TooManyLinks)
}

/// Makes `text` the content of `path`, which is no link. As a rule whole or not at all: a new file in the same directory,
/// flushed to the disk, takes the place of the old one.
///
/// A file whose name has to stay where it is, such as one that a container mounts by itself, or one in a directory that
/// can't be written, is written in place. Where that fails it gets its old content back.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), ReplaceError> {
    let old = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(ReplaceError::NotAFile),
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let permissions = old.as_ref().map(fs::Metadata::permissions);
    match swap(path, text, permissions) {
        Err(error) if old.is_some() && is_name_fixed(&error) => write_in_place(path, text, error),
        result => result.map_err(ReplaceError::from),
    }
}

/// Whether the name is what can't be had, while the file itself may be writable.
fn is_name_fixed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

fn swap(path: &Path, text: &str, permissions: Option<fs::Permissions>) -> io::Result<()> {
    let directory = directory_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new.");
    // A temporary file is private by default; this one is to become a file like any other, as the umask has it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(directory)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The rename is on the disk once the directory is.
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    Ok(())
}

fn write_in_place(path: &Path, text: &str, replace: io::Error) -> Result<(), ReplaceError> {
    let open = || {
        let mut file = regular_file::open(OpenOptions::new().read(true).write(true), path)?;
        let mut old = Vec::new();
        file.read_to_end(&mut old)?;
        Ok((file, old))
    };
    let (mut file, old) = open().map_err(|in_place| ReplaceError::NeitherWay { replace, in_place })?;
    let error = match overwrite(&mut file, text.as_bytes()) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match overwrite(&mut file, &old) {
        Ok(()) => Err(ReplaceError::Unchanged(error)),
        Err(_) => Err(ReplaceError::Partial(error)),
    }
}

fn overwrite(file: &mut File, content: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_place_has_nothing_of_the_old_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for old in ["", "short", "much longer than what comes next"] {
            fs::write(&path, old).unwrap();
            write_in_place(&path, "the new one", io::ErrorKind::ResourceBusy.into()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "the new one");
        }
    }

    #[test]
    fn a_file_that_is_neither_replaced_nor_written_says_what_to_do() {
        let nowhere = Path::new("/no/such/file");
        let error = write_in_place(nowhere, "", io::ErrorKind::ResourceBusy.into()).unwrap_err();
        assert!(error.to_string().contains("mount its folder"), "{error}");
    }
}
