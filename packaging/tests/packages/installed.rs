use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use programs::{Checkout, Executables, Program, Progress, build};

/// The programs, and what they are called once they are installed.
pub(crate) const PROGRAMS: [(Program, &str); 3] = [
    (Program::SERVER, "stream-register-server"),
    (Program::CLIENT, "stream-register-client"),
    (Program::REGISTRY, "actr-lite-registry"),
];

/// A file of the checkout.
pub(crate) fn checkout(path: &str) -> PathBuf {
    let checkout = Checkout::of_this_run().unwrap_or_else(|error| panic!("{error:#}"));
    checkout.path(path)
}

/// The folder with the programs as they are built.
pub(crate) fn program_folder() -> PathBuf {
    built().path(Program::SERVER).parent().unwrap().into()
}

/// Puts the programs into a folder, with the names that they have once they are installed.
pub(crate) fn install_programs(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (program, name) in PROGRAMS {
        fs::copy(built().path(program), folder.join(name)).unwrap();
    }
}

fn built() -> &'static Executables {
    static BUILT: OnceLock<Executables> = OnceLock::new();
    BUILT.get_or_init(|| {
        let checkout = Checkout::of_this_run().unwrap_or_else(|error| panic!("{error:#}"));
        let programs = PROGRAMS.map(|(program, _)| program);
        build(&checkout, &programs, Progress::OnFailure).unwrap_or_else(|error| panic!("{error:#}"))
    })
}
