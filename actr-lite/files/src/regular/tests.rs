use std::{
    io::Write as _,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::net::UnixListener,
    },
    path::PathBuf,
    time::Duration,
};

use rustix::{
    fs::{CWD, Mode, mkfifoat},
    pipe::pipe,
};

use super::*;

const MAX_LEN: u64 = 8;

fn path_of(descriptor: &OwnedFd) -> PathBuf {
    format!("/dev/fd/{}", descriptor.as_raw_fd()).into()
}

#[test]
fn a_regular_file_is_read_within_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "12345678").unwrap();
    assert_eq!(read(&path, MAX_LEN).unwrap().bytes, b"12345678");
    fs::write(&path, "123456789").unwrap();
    let error = read(&path, MAX_LEN).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    let missing = read(&folder.path().join("none"), MAX_LEN).unwrap_err();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (fifo, socket) = (folder.path().join("fifo"), folder.path().join("socket"));
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    let _listener = UnixListener::bind(&socket).unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    for (path, expected) in [
        (fifo.as_path(), "it is a FIFO, not a regular file"),
        (&link, "it is a FIFO, not a regular file"),
        (&socket, "it is a socket, not a regular file"),
        (Path::new("/dev/zero"), "it is a device, not a regular file"),
        (folder.path(), "it is a directory"),
    ] {
        assert_eq!(read(path, MAX_LEN).unwrap_err().to_string(), expected);
        let opened = open(OpenOptions::new().append(true).create(true), path);
        assert_eq!(opened.unwrap_err().to_string(), expected);
    }
}

#[test]
fn where_something_could_be_created_is_known_and_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    check_creatable(&file).unwrap();
    check_creatable(&folder.path().join("new/and/deeper")).unwrap();
    check_creatable(Path::new("relative")).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(&file, "").unwrap();
    let below_a_file = check_creatable(&file.join("name")).unwrap_err();
    assert_eq!(below_a_file.kind(), io::ErrorKind::NotADirectory);
}

#[test]
fn a_pipe_that_the_process_was_given_is_read_to_its_end() {
    let (output, input) = pipe().unwrap();
    let mut input = File::from(input);
    let writer = std::thread::spawn(move || {
        for part in ["123", "45", "678"] {
            input.write_all(part.as_bytes()).unwrap();
        }
    });
    assert_eq!(read(&path_of(&output), MAX_LEN).unwrap().bytes, b"12345678");
    writer.join().unwrap();
}

#[test]
fn a_pipe_without_an_end_is_read_within_its_bound() {
    let (output, input) = pipe().unwrap();
    File::from(input.try_clone().unwrap()).write_all(b"123456789").unwrap();
    let error = read(&path_of(&output), MAX_LEN).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    drop(input);
}

#[test]
fn a_pipe_that_nobody_writes_to_times_out() {
    let (output, _input) = pipe().unwrap();
    let mut pipe = pipe::Pipe::with_timeout(File::from(output), Duration::from_millis(10));
    let error = pipe.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
