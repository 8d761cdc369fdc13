//! Opening and reading the files that a program is told of.
//!
//! A path may lead to a FIFO, a device or a socket. To open one of them can block for ever, or do something; so all of
//! them are refused at once.
//!
//! - [`read`]: the content of a file, within a bound
//! - [`open`]: a file for anything else
//! - [`check_creatable`], [`check_writable`]: whether one could be created

mod kind;
#[cfg(unix)]
mod pipe;

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read},
    path::Path,
};

/// What is in a file.
#[derive(Debug)]
pub struct Content {
    /// All of it.
    pub bytes: Vec<u8>,
    /// That of the file when it was opened.
    pub metadata: Metadata,
}

/// Reads a file of at most `max_len` bytes.
///
/// A pipe that this process was given is read too, such as the `/dev/fd/63` of a shell's `<(command)`; the one who writes
/// has 10 seconds to end.
///
/// # Errors
/// What the system says; [`io::ErrorKind::FileTooLarge`] for one that is longer, [`io::ErrorKind::IsADirectory`],
/// [`io::ErrorKind::InvalidInput`] for what else is no regular file, [`io::ErrorKind::TimedOut`] for a pipe.
pub fn read(path: &Path, max_len: u64) -> io::Result<Content> {
    #[cfg(unix)]
    if pipe::is_given(path)? {
        let (file, metadata) = open_any(OpenOptions::new().read(true), path)?;
        let bytes = read_within(pipe::Pipe::new(file), max_len)?;
        return Ok(Content { bytes, metadata });
    }
    let file = open(OpenOptions::new().read(true), path)?;
    let metadata = file.metadata()?;
    let bytes = read_within(file, max_len)?;
    Ok(Content { bytes, metadata })
}

/// Opens a regular file, or makes one if `options` say so.
///
/// # Errors
/// What the system says; [`io::ErrorKind::IsADirectory`], and [`io::ErrorKind::InvalidInput`] for what else is no regular
/// file.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // Before it is opened, as to open a device can have an effect.
    match fs::metadata(path) {
        Ok(metadata) => kind::check(&metadata)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let (file, metadata) = open_any(options, path)?;
    kind::check(&metadata)?;
    Ok(file)
}

/// Whether something can be created at `path`: in its folder, or, where that is to be created too, in the last one above
/// that exists. Nothing is created here.
///
/// # Errors
/// What the system says; [`io::ErrorKind::NotADirectory`] if there is something else.
pub fn check_creatable(path: &Path) -> io::Result<()> {
    let folders = path.ancestors().skip(1);
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        match fs::metadata(folder) {
            Ok(metadata) if metadata.is_dir() => return check_writable(folder),
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether this program's user may put something into a folder.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
pub fn check_writable(folder: &Path) -> io::Result<()> {
    let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    Ok(rustix::fs::access(folder, access)?)
}

/// It is not known here.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn check_writable(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens whatever it is, without waiting.
fn open_any(options: &mut OpenOptions, path: &Path) -> io::Result<(File, Metadata)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Another kind of file may have taken the name since it was looked at. Both say nothing to a regular file.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn read_within(source: impl Read, max_len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if source.take(max_len.saturating_add(1)).read_to_end(&mut bytes)? as u64 > max_len {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {max_len} bytes"),
        ));
    }
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests;
