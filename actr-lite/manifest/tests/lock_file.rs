//! A lock is read back as it was written, is never half written, and says what to do when it is missing or broken.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{fs, path::Path};

use actr_lite_manifest::{
    ContractFingerprint, FileFingerprint, Lock, LockedDependency, LockedFile, Timestamp, UpdateCommand,
};
use proptest::{collection, option, prelude::*};

const FILE: &str = "ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355";

fn dependency(name: &str, actr_type: &str, file: &str, cached_at: u64) -> LockedDependency {
    LockedDependency {
        name: name.into(),
        actr_type: actr_type.parse().unwrap(),
        fingerprint: ContractFingerprint::of([(file, FILE)]),
        description: None,
        published_at: None,
        tags: Vec::new(),
        cached_at: Timestamp::from_unix_seconds(cached_at),
        files: vec![LockedFile {
            path: file.into(),
            fingerprint: FILE.parse::<FileFingerprint>().unwrap(),
        }],
    }
}

fn lock() -> Lock {
    Lock::new(Timestamp::from_unix_seconds(0))
}

fn parse_error(text: &str) -> String {
    Lock::parse(text, Path::new("client/Actr.lock.toml"))
        .unwrap_err()
        .to_string()
}

const METADATA: &str = "[metadata]\nversion = 1\ngenerated_at = \"2024-01-15T10:30:00Z\"\n";

#[test]
fn a_lock_has_the_originals_format() {
    let lock = lock().with_dependency(dependency(
        "server",
        "acme+StreamEchoServer",
        "stream_server.proto",
        1_705_314_600,
    ));
    insta::assert_snapshot!(lock.to_string(), @r#"
    # Written by `--update-lock`: the contracts this node was built against.

    [metadata]
    version = 1
    generated_at = "2024-01-15T10:30:00Z"

    [[dependency]]
    name = "server"
    actr_type = "acme+StreamEchoServer"
    fingerprint = "service_semantic:8cd6382d374752af9f3ad1488cb4d465dd0fc1a8e22b69eee6e5a75d793d0708"
    cached_at = "2024-01-15T10:30:00Z"

    [[dependency.files]]
    path = "stream_server.proto"
    fingerprint = "semantic:ebcc9ee84bfc0610aea904fdc44d5eb7ef584fccd6d5498c1a22cd30ecec8355"
    "#);
}

#[test]
fn the_originals_optional_keys_are_kept() {
    let text = format!(
        "{METADATA}[[dependency]]\nname = \"user\"\nactr_type = \"acme:User:2.0.0\"\ndescription = \"Users\"\n\
         fingerprint = \"{}\"\npublished_at = 1705315800\ntags = [\"latest\"]\ncached_at = \"2024-01-15T10:30:00+00:00\"\n",
        ContractFingerprint::of([("user.proto", FILE)])
    );
    let lock = Lock::parse(&text, Path::new("Actr.lock.toml")).unwrap();
    let dependency = lock.dependency(&"acme:User:2.0.0".parse().unwrap()).unwrap();
    assert_eq!(dependency.description.as_deref(), Some("Users"));
    assert_eq!(dependency.published_at, Some(1_705_315_800));
    assert_eq!(dependency.tags, ["latest"]);
    assert_eq!(
        Lock::parse(&lock.to_string(), Path::new("Actr.lock.toml")).unwrap(),
        lock
    );
}

#[test]
fn a_dependency_replaces_only_the_one_of_its_type() {
    let old = lock()
        .with_dependency(dependency("b", "acme+B", "b.proto", 1))
        .with_dependency(dependency("a", "acme+A", "a.proto", 2));
    let new = old.with_dependency(dependency("b", "acme+B", "other.proto", 3));
    let names: Vec<_> = new.dependencies().iter().map(|dependency| &dependency.name).collect();
    assert_eq!(names, ["a", "b"]);
    let b = new.dependency(&"acme+B".parse().unwrap()).unwrap();
    assert_eq!(b.files[0].path, "other.proto");
    assert_eq!(new.generated_at, Timestamp::from_unix_seconds(3));
    assert!(new.dependency(&"acme:B:2.0.0".parse().unwrap()).is_none());
}

#[test]
fn writing_replaces_the_file_and_leaves_nothing_else_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = Lock::path_beside(&directory.path().join("Actr.toml"));
    fs::write(&path, "the old one").unwrap();
    let lock = lock().with_dependency(dependency("server", "acme+S", "s.proto", 1));
    lock.write(&path).unwrap();
    assert_eq!(Lock::load(&path, &UpdateCommand::new("client", &path)).unwrap(), lock);
    let files: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(files, ["Actr.lock.toml"]);
}

#[cfg(unix)]
#[test]
fn a_new_lock_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    let (path, ordinary) = (
        directory.path().join("Actr.lock.toml"),
        directory.path().join("ordinary"),
    );
    lock().write(&path).unwrap();
    fs::write(&ordinary, "").unwrap();
    assert_eq!(mode(&path), mode(&ordinary));
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_replaced_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Actr.lock.toml");
    fs::write(&path, "the old one").unwrap();
    for mode in [0o640, 0o604] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        lock().write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}

#[cfg(unix)]
#[test]
fn a_lock_is_written_where_its_links_lead() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("shared")).unwrap();
    symlink("shared/first", at("Actr.lock.toml")).unwrap();
    symlink("../second", at("shared/first")).unwrap();
    // At first the last link leads to nothing.
    for _ in 0..2 {
        lock().write(&at("Actr.lock.toml")).unwrap();
        assert!(at("Actr.lock.toml").is_symlink() && at("shared/first").is_symlink());
        assert!(at("second").is_file() && !at("second").is_symlink());
        assert_eq!(fs::read_to_string(at("second")).unwrap(), lock().to_string());
        fs::write(at("second"), "the old one").unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_what_is_no_file_is_refused_and_stays() {
    use std::os::unix::fs::symlink;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for (link, target, problem) in [
        ("circle", "circle", "more than 40 links"),
        (
            "device",
            "/dev/null",
            "a link to /dev/null: cannot be written: it is no regular file",
        ),
        ("folder", "/", "no regular file"),
        ("nowhere", "/no/such/folder/file", "a link to /no/such/folder/file"),
    ] {
        symlink(target, at(link)).unwrap();
        let message = lock().write(&at(link)).unwrap_err().to_string();
        assert!(message.contains(problem) && message.contains(link), "{message}");
        assert_eq!(fs::read_link(at(link)).unwrap(), Path::new(target));
    }
}

#[test]
fn a_lock_that_cannot_be_written_is_an_error_that_names_it() {
    let error = lock()
        .write(Path::new("/no/such/directory/Actr.lock.toml"))
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("/no/such/directory/Actr.lock.toml: cannot be written: "),
        "{message}"
    );
}

#[test]
fn the_lock_is_beside_its_manifest() {
    for (actr_toml, lock) in [
        ("Actr.toml", "Actr.lock.toml"),
        ("client/Actr.toml", "client/Actr.lock.toml"),
        ("/etc/other.toml", "/etc/other.lock.toml"),
    ] {
        assert_eq!(Lock::path_beside(Path::new(actr_toml)), Path::new(lock));
    }
}

#[test]
fn a_missing_lock_names_the_command_that_makes_it() {
    let command = UpdateCommand::new("client", Path::new("my client/Actr.toml"));
    let error = Lock::load(Path::new("/no/Actr.lock.toml"), &command).unwrap_err();
    insta::assert_snapshot!(error, @"/no/Actr.lock.toml: no such lock file; run `client --actr-toml 'my client/Actr.toml' --update-lock` to create it");
}

#[test]
fn a_broken_lock_says_what_is_broken_and_names_the_command() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("Actr.lock.toml");
    fs::write(&path, "garbage").unwrap();
    let error = Lock::load(&path, &UpdateCommand::new("client", Path::new("Actr.toml"))).unwrap_err();
    let message = error
        .to_string()
        .replace(&directory.path().display().to_string(), "client");
    insta::assert_snapshot!(message, @"client/Actr.lock.toml:1:8: not valid TOML: key with no value, expected `=`; run `client --actr-toml Actr.toml --update-lock` to write the lock file again");
}

#[test]
fn whatever_is_wrong_has_its_line() {
    let dependency = |line: &str| {
        format!(
            "{METADATA}[[dependency]]\nname = \"server\"\nactr_type = \"acme+S\"\ncached_at = \"2024-01-15T10:30:00Z\"\n{line}\n"
        )
    };
    insta::assert_snapshot!(parse_error(""), @"client/Actr.lock.toml: metadata.version is missing: add a section [metadata] with version = 1");
    insta::assert_snapshot!(parse_error(&METADATA.replace('1', "2")), @"client/Actr.lock.toml:2:11: metadata.version = 2: this runtime reads lock files of version 1");
    insta::assert_snapshot!(parse_error(&METADATA.replace("10:30", "25:30")), @r#"client/Actr.lock.toml:3:16: metadata.generated_at = "2024-01-15T25:30:00Z": not a time of RFC 3339, like 2024-01-15T10:30:00Z"#);
    insta::assert_snapshot!(parse_error(&dependency("")), @r#"client/Actr.lock.toml:4:1: dependency.fingerprint is missing: add fingerprint = "service_semantic:..." to [dependency]"#);
    insta::assert_snapshot!(parse_error(&dependency("fingerprint = \"service_semantic:8cd6\"")), @r#"client/Actr.lock.toml:8:15: dependency.fingerprint = "service_semantic:8cd6": a contract's fingerprint is service_semantic: and 64 hex digits"#);
    insta::assert_snapshot!(parse_error(&dependency("fingerprnt = \"\"")), @"client/Actr.lock.toml:8:1: unknown key dependency.fingerprnt: did you mean dependency.fingerprint?");
    insta::assert_snapshot!(parse_error(&METADATA.replace("[metadata]", "dependency = 3\n[metadata]")), @"client/Actr.lock.toml:1:14: dependency: expected sections [[dependency]], found the number 3");
    let fingerprint = ContractFingerprint::of([("s.proto", FILE)]);
    let whole = dependency(&format!("fingerprint = \"{fingerprint}\""));
    let again = whole.replace(METADATA, "");
    insta::assert_snapshot!(parse_error(&format!("{whole}{again}")), @r#"client/Actr.lock.toml:11:13: dependency.actr_type = "acme+S": another [[dependency]] has this type"#);
    insta::assert_snapshot!(parse_error(&format!("{whole}[[dependency.files]]\npath = \"s.proto\"\nfingerprint = \"{fingerprint}\"\n")), @r#"client/Actr.lock.toml:11:15: dependency.files.fingerprint = "service_semantic:20798f31cb6c09e4616956b404777870f4ce9435f775fb4f8d241bba08a48313": a file's fingerprint is semantic: and 64 hex digits"#);
}

prop_compose! {
    fn any_dependency(index: usize)(
        name in "\\PC{0,12}",
        version in "[0-9]\\.[0-9]",
        digest: [u8; 32],
        description in option::of(".{0,20}"),
        published_at in option::of(any::<i64>()),
        tags in collection::vec(".{0,5}", 0..3),
        seconds in 0..4_000_000_000u64,
        paths in collection::vec("(?s).{0,8}", 0..3),
    ) -> LockedDependency {
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        LockedDependency {
            name: format!("{index}{name}"),
            actr_type: format!("acme:S{index}:{version}").parse().unwrap(),
            fingerprint: format!("service_semantic:{digits}").parse().unwrap(),
            description,
            published_at,
            tags,
            cached_at: Timestamp::from_unix_seconds(seconds),
            files: paths
                .into_iter()
                .map(|path| LockedFile { path, fingerprint: digits.parse().unwrap() })
                .collect(),
        }
    }
}

proptest! {
    #[test]
    fn a_lock_is_read_back_as_it_was_written(one in any_dependency(1), other in any_dependency(2)) {
        let lock = lock().with_dependency(one).with_dependency(other);
        prop_assert_eq!(&Lock::parse(&lock.to_string(), Path::new("Actr.lock.toml")).unwrap(), &lock);
    }
}
