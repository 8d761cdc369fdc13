//! The programs, built with the feature.

use std::{fs, path::PathBuf, sync::OnceLock};

use harness::{Binaries, Deployment};
use programs::{Checkout, Launch, Program, Progress, build_with_features};

/// A deployment of programs that can send traces.
pub(crate) fn deployment() -> Deployment {
    static BUILT: OnceLock<Binaries> = OnceLock::new();
    Deployment::of(BUILT.get_or_init(binaries))
}

/// Copies, as another build puts its own where this one did.
fn binaries() -> Binaries {
    let checkout = Checkout::of_this_run().unwrap();
    let programs = [Program::SERVER, Program::CLIENT];
    let built = build_with_features(&checkout, &programs, &["otel"], Progress::OnFailure).unwrap();
    let folder = programs::target_dir().unwrap().join("with-traces");
    fs::create_dir_all(&folder).unwrap();
    let [server, client] = programs.map(|program| -> PathBuf {
        let from = built.path(program);
        let to = folder.join(from.file_name().unwrap());
        // A copy of an earlier run may be a program that still runs.
        let _ = fs::remove_file(&to);
        fs::copy(&from, &to).unwrap();
        to
    });
    Binaries {
        registry: server.clone(),
        server,
        client,
    }
}

/// With traces to this collector.
pub(crate) fn traced(launch: Launch, url: &str) -> Launch {
    launch.env("OTEL_EXPORTER_OTLP_ENDPOINT", url)
}
