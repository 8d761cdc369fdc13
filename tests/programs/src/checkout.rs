//! The folder that the workspace lies in.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// What only the root of a checkout has below it.
const LANDMARKS: [&str; 2] = ["server/Actr.toml", "client/Actr.toml"];

/// The folder that the workspace lies in. It is found when the program runs: where the program was compiled says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout(PathBuf);

impl Checkout {
    /// The checkout for which cargo runs this program. Without cargo it is the one around the working directory.
    ///
    /// # Errors
    /// If there is none.
    pub fn of_this_run() -> anyhow::Result<Self> {
        let start = match env::var_os("CARGO_MANIFEST_DIR") {
            Some(package) => package.into(),
            None => env::current_dir().context("the working directory is gone")?,
        };
        Self::around(&start).with_context(|| {
            let [first, second] = LANDMARKS;
            format!(
                "no folder from {} upwards has {first} and {second}: run this in a checkout of stream-register",
                start.display()
            )
        })
    }

    /// The checkout that this folder is in.
    fn around(folder: &Path) -> Option<Self> {
        let is_root = |folder: &&Path| LANDMARKS.iter().all(|file| folder.join(file).is_file());
        Some(Self(folder.ancestors().find(is_root)?.into()))
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// A file of it, like `server/Actr.toml`.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.0.join(relative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_is_found_from_each_folder_in_it() {
        let here = Checkout::of_this_run().unwrap();
        assert!(here.path("Cargo.lock").is_file());
        let deep = here.path("actr-lite/tests/interop/src");
        assert_eq!(Checkout::around(&deep), Some(here.clone()));
        assert_eq!(Checkout::around(here.root()), Some(here));
    }

    #[test]
    fn a_folder_outside_of_a_checkout_is_in_none() {
        assert_eq!(Checkout::around(Path::new("/nowhere/at/all")), None);
    }
}
