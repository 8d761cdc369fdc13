use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use actr_lite_files::regular as regular_file;

/// The most bytes of the file before it gets a number and another one is begun: some fifty thousand lines.
const MAX_BYTES: u64 = 16 << 20;

/// How many such files with numbers are kept: with the one that is written 144 MiB.
const KEPT: u32 = 8;

/// A file that is appended to. When it is full it becomes `<name>.1`, `<name>.1` becomes `<name>.2`, and so on; the last
/// one is removed.
///
/// Only its owner can read it, and only one program writes it at a time.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    max_bytes: u64,
    kept: u32,
    file: File,
    len: u64,
    /// The last line is not whole.
    is_torn: bool,
}

impl RotatingFile {
    /// Opens the file, and creates it if it does not exist.
    ///
    /// # Errors
    /// When the system does not let it, it is no regular file, or another program has it open as this.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limits(path, MAX_BYTES, KEPT)
    }

    /// Whether it can be opened, or made where it is not. It changes nothing, and another program may have it open.
    ///
    /// # Errors
    /// When the system does not let it, or it is no regular file.
    pub(super) fn check(path: &Path) -> io::Result<()> {
        match regular_file::open(OpenOptions::new().append(true), path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                // It is not made with the file.
                fs::metadata(folder.unwrap_or(Path::new(".")))?;
                regular_file::check_creatable(path)
            }
            Err(error) => Err(error),
        }
    }

    fn with_limits(path: &Path, max_bytes: u64, kept: u32) -> io::Result<Self> {
        let (file, len, is_torn) = open(path)?;
        Ok(Self {
            path: path.into(),
            max_bytes,
            kept,
            file,
            len,
            is_torn,
        })
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// When that fails. Part of them may be written then.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        if self.len > 0 && self.len + lines.len() as u64 > self.max_bytes {
            self.rotate()?;
        }
        if self.is_torn {
            self.file.write_all(b"\n")?;
            self.len += 1;
        }
        self.is_torn = true;
        self.file.write_all(lines)?;
        self.is_torn = false;
        self.len += lines.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            rename(&self.numbered(number), &self.numbered(number + 1))?;
        }
        rename(&self.path, &self.numbered(1))?;
        (self.file, self.len, self.is_torn) = open(&self.path)?;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// A file that is not there needs no other name.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// The file, its length, and whether it ends within a line.
fn open(path: &Path) -> io::Result<(File, u64, bool)> {
    let invalid = |problem| io::Error::new(io::ErrorKind::InvalidInput, problem);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = regular_file::open(&mut options, path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(invalid("another program uses it")),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let len = file.metadata()?.len();
    let mut last = [b'\n'];
    if len > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok((file, len, last != *b"\n"))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_full_file_gets_a_number_and_the_oldest_is_removed() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit");
        let mut file = RotatingFile::with_limits(&path, 10, 2).unwrap();
        for line in ["first\n", "second\n", "third\n", "fourth\n", "5th\n", "six\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("audit"), "5th\nsix\n");
        assert_eq!(read("audit.1"), "fourth\n");
        assert_eq!(read("audit.2"), "third\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_is_there_stays_and_a_torn_line_is_ended() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit");
        fs::write(&path, "old\nto").unwrap();
        RotatingFile::open(&path).unwrap().append(b"new\n").unwrap();
        RotatingFile::open(&path).unwrap().append(b"newer\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\nto\nnew\nnewer\n");
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("audit");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let _file = RotatingFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
