use std::{
    fs::Metadata,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// What to do in a container, where `chmod` does not last.
const IN_CONTAINERS: &str = "in Kubernetes write defaultMode: 0400 for a secret's volume, and, where fsGroup opens a volume of \
                             the program's own to a group, fsGroupChangePolicy: OnRootMismatch";

/// Somebody else gets at a file or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Exposed {
    /// It belongs to another user, who can change it and what others may do with it.
    #[error(
        "{path} belongs to another user (uid {owner}; this program's is {user}): run `chown {user} {path}`, or run the program \
         as that user (in a container: runAsUser, or docker's --user)", path = .path.display()
    )]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who this is.
        user: u32,
    },
    /// Others can read a file or change it.
    #[error("others can read {path} (mode {mode:04o}): run `chmod 600 {path}`; {IN_CONTAINERS}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Others can change what is in a folder.
    #[error(
        "others can write to {path} (mode {mode:04o}): run `chmod 700 {path}`, or name a folder in it that is not there yet; \
         {IN_CONTAINERS}", path = .path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
}

/// Who may do what with a file, and who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    /// This program's user.
    user: u32,
    owner: u32,
    mode: u32,
}

const ROOT: u32 = 0;

impl Access {
    /// Of an open file or a folder.
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            user: rustix::process::geteuid().as_raw(),
            owner: metadata.uid(),
            mode: metadata.mode() & 0o7777,
        }
    }

    /// Nothing is known of others here.
    #[cfg(not(unix))]
    pub(crate) fn of(_metadata: &Metadata) -> Self {
        Self {
            user: ROOT,
            owner: ROOT,
            mode: 0,
        }
    }

    /// A file is for its owner, who is this user or root. What belongs to root while this is somebody else may be for a group
    /// too: that is how an administrator, or Kubernetes with fsGroup, hands it to a program. PostgreSQL has the same rule.
    pub(crate) fn exposed(self, kind: Kind, path: &Path) -> Option<Exposed> {
        let Self { user, owner, mode } = self;
        let path = path.to_path_buf();
        if owner != user && owner != ROOT {
            return Some(Exposed::Owner { path, owner, user });
        }
        let is_handed = owner == ROOT && user != ROOT;
        match kind {
            Kind::File if mode & if is_handed { 0o027 } else { 0o077 } != 0 => Some(Exposed::File { path, mode }),
            Kind::Folder if mode & if is_handed { 0o002 } else { 0o022 } != 0 => Some(Exposed::Folder { path, mode }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: u32 = 1000;

    /// Whether these modes are exposed, where `owner` has the file and `user` runs.
    fn are_exposed(kind: Kind, user: u32, owner: u32, modes: &[u32], expected: bool) {
        for &mode in modes {
            let exposed = Access { user, owner, mode }.exposed(kind, Path::new("it"));
            assert_eq!(exposed.is_some(), expected, "{user} {owner} {mode:o}: {exposed:?}");
        }
    }

    #[test]
    fn a_file_is_for_its_owner_alone() {
        for user in [USER, ROOT] {
            are_exposed(Kind::File, user, user, &[0o600, 0o400, 0o700], false);
            are_exposed(Kind::File, user, user, &[0o640, 0o604, 0o620, 0o601, 0o666], true);
        }
    }

    #[test]
    fn what_root_hands_to_a_group_is_for_it_to_read() {
        are_exposed(Kind::File, USER, ROOT, &[0o400, 0o440, 0o640], false);
        are_exposed(Kind::File, USER, ROOT, &[0o444, 0o660, 0o644], true);
        are_exposed(Kind::Folder, USER, ROOT, &[0o2770, 0o2775, 0o755], false);
        are_exposed(Kind::Folder, USER, ROOT, &[0o1777, 0o777], true);
    }

    #[test]
    fn a_folder_may_be_read_and_not_written() {
        are_exposed(Kind::Folder, USER, USER, &[0o700, 0o755], false);
        are_exposed(Kind::Folder, USER, USER, &[0o2770, 0o775, 0o757], true);
    }

    #[test]
    fn what_belongs_to_somebody_else_is_exposed() {
        for kind in [Kind::File, Kind::Folder] {
            are_exposed(kind, USER, USER + 1, &[0o600, 0o700], true);
            are_exposed(kind, ROOT, USER, &[0o600, 0o700], true);
        }
    }

    #[test]
    fn each_remedy_names_the_file_and_the_one_for_containers() {
        let text = |owner, kind| {
            let access = Access {
                user: USER,
                owner,
                mode: 0o2777,
            };
            access.exposed(kind, Path::new("/data/key")).unwrap().to_string()
        };
        for (text, parts) in [
            (text(USER + 1, Kind::File), ["chown 1000 /data/key", "runAsUser"]),
            (text(USER, Kind::File), ["chmod 600 /data/key", "fsGroup"]),
            (text(USER, Kind::Folder), ["chmod 700 /data/key", "fsGroup"]),
        ] {
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}
