use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use crate::error::ManifestError;

/// Finds the file that `--actr-toml` names: in the working directory, then, if the program was started through cargo,
/// in its package's own folder, which is `package_dir` (`CARGO_MANIFEST_DIR` at run time). An absolute path is only
/// looked up.
///
/// # Errors
/// [`ManifestError::NotFound`] with both places when it is in neither, [`ManifestError::Read`] when a place can't be
/// looked into.
pub fn resolve_path(actr_toml: &Path, package_dir: Option<&Path>) -> Result<PathBuf, ManifestError> {
    let looked_up = |path: PathBuf| match fs::metadata(&path) {
        Ok(_) => Ok(Some(path)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(ManifestError::Read { path, error }),
    };
    if let Some(path) = looked_up(actr_toml.into())? {
        return Ok(path);
    }
    let mut looked_in = Vec::new();
    if actr_toml.is_relative() {
        looked_in.push(env::current_dir().unwrap_or_else(|_| ".".into()));
        if let Some(package_dir) = package_dir {
            if let Some(path) = looked_up(package_dir.join(actr_toml))? {
                return Ok(path);
            }
            looked_in.push(package_dir.into());
        }
        looked_in.dedup();
    }
    Err(ManifestError::NotFound {
        path: actr_toml.into(),
        looked_in,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_directory_comes_before_the_package() {
        let package = tempfile::tempdir().unwrap();
        fs::write(package.path().join("Cargo.toml"), "").unwrap();
        let relative = Path::new("Cargo.toml");
        assert_eq!(resolve_path(relative, Some(package.path())).unwrap(), relative);
    }

    #[test]
    fn a_file_of_the_package_is_found_from_elsewhere() {
        let package = tempfile::tempdir().unwrap();
        let path = package.path().join("Only-Here.toml");
        fs::write(&path, "").unwrap();
        let relative = Path::new("Only-Here.toml");
        assert_eq!(resolve_path(relative, Some(package.path())).unwrap(), path);
        assert_eq!(resolve_path(&path, None).unwrap(), path);
    }

    #[test]
    fn a_file_that_is_nowhere_is_an_error_that_names_both_places() {
        let error = resolve_path(Path::new("Nowhere.toml"), Some(Path::new("/no/package"))).unwrap_err();
        let here = env::current_dir().unwrap();
        assert_eq!(
            error.to_string(),
            format!(
                "Nowhere.toml: no such file in {} or /no/package: give the path of an Actr.toml with --actr-toml",
                here.display()
            )
        );
    }

    #[test]
    fn an_absolute_path_is_looked_for_nowhere_else() {
        let error = resolve_path(Path::new("/no/Actr.toml"), Some(Path::new("/no/package"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "/no/Actr.toml: no such file: give the path of an Actr.toml with --actr-toml"
        );
    }
}
