//! A directory with the shipped files, and the programs set up to use them.

use std::{fs, path::PathBuf, sync::OnceLock};

use programs::{Checkout, Launch, Process, registry_url};
use tempfile::TempDir;

use crate::binaries::Binaries;

/// What is copied, with the same places relative to each other: the manifests name the proto files.
const SHIPPED: [&str; 6] = [
    "server/Actr.toml",
    "server/Actr.lock.toml",
    "client/Actr.toml",
    "client/Actr.lock.toml",
    "protos/stream_server.proto",
    "protos/stream_client.proto",
];

/// A directory with copies of the shipped files, for one test, and the programs set up to use them.
///
/// What differs from the shipped files is given on the command line (`--config`), as a user would. The directory is
/// removed when this is dropped.
#[derive(Debug)]
pub struct Deployment {
    directory: TempDir,
    binaries: &'static Binaries,
}

impl Deployment {
    /// A new directory, and the programs built.
    ///
    /// # Panics
    /// If the directory can't be made or the programs can't be built.
    #[allow(clippy::new_without_default, reason = "it makes a directory and may run a compiler")]
    pub fn new() -> Self {
        Self::of(Binaries::built())
    }

    /// The same with programs that have the feature `webrtc`.
    ///
    /// # Panics
    /// If the directory can't be made or the programs can't be built.
    #[cfg(feature = "webrtc")]
    pub fn with_webrtc() -> Self {
        Self::of(Binaries::with_webrtc())
    }

    /// The same with other builds of the programs.
    ///
    /// # Panics
    /// If the directory can't be made.
    pub fn of(binaries: &'static Binaries) -> Self {
        let directory = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        for file in SHIPPED {
            let (from, to) = (checkout().path(file), directory.path().join(file));
            let copied = fs::create_dir_all(to.parent().unwrap_or(&to)).and_then(|()| fs::copy(&from, &to));
            copied.unwrap_or_else(|error| panic!("cannot copy {}: {error}", from.display()));
        }
        Self { directory, binaries }
    }

    /// A path in the directory, like `client/Actr.toml`.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.directory.path().join(relative)
    }

    /// The server, which hosts the registry too, on a free port.
    pub fn server(&self) -> Launch {
        self.server_that_hosts(0)
    }

    /// The server, which hosts the registry too, on this port.
    pub fn server_that_hosts(&self, port: u16) -> Launch {
        let launch = self.bare_server().arg("--actr-toml").arg(self.path("server/Actr.toml"));
        launch.config("system.signaling.url", registry_url(port))
    }

    /// A server that uses this registry.
    pub fn server_at(&self, url: &str) -> Launch {
        let launch = self.bare_server().arg("--actr-toml").arg(self.path("server/Actr.toml"));
        launch
            .config("system.signaling.url", url)
            .config("system.signaling.embedded", false)
    }

    /// The server's program, without arguments.
    pub fn bare_server(&self) -> Launch {
        Launch::new("server", &self.binaries.server)
    }

    /// The client, asking for `count` messages, with this registry.
    pub fn client(&self, url: &str, count: u64) -> Launch {
        self.client_without_count(url).arg(count.to_string())
    }

    /// The client with this registry, and no message count.
    pub fn client_without_count(&self, url: &str) -> Launch {
        let launch = self.bare_client().arg("--actr-toml").arg(self.path("client/Actr.toml"));
        launch.config("system.signaling.url", url)
    }

    /// The client's program, without arguments.
    pub fn bare_client(&self) -> Launch {
        Launch::new("client", &self.binaries.client)
    }

    /// A registry as a process of its own, on this port, or on a free one if it is 0.
    pub fn registry(&self, port: u16) -> Launch {
        self.registry_on(&format!("127.0.0.1:{port}"))
    }

    /// A registry as a process of its own, which listens on this `HOST:PORT`.
    pub fn registry_on(&self, listen: &str) -> Launch {
        self.bare_registry().args(["--listen", listen])
    }

    /// The registry's program, without arguments.
    pub fn bare_registry(&self) -> Launch {
        Launch::new("registry", &self.binaries.registry)
    }

    /// Starts a server that hosts the registry, with these further arguments, and waits until it is ready. Gives its
    /// process and the registry's URL.
    ///
    /// # Panics
    /// If it doesn't become ready.
    #[track_caller]
    pub fn start_server(&self, arguments: &[&str]) -> (Process, String) {
        let server = self.server().args(arguments).spawn();
        let url = server.registry_url();
        server.ready();
        (server, url)
    }

    /// Starts a registry as a process of its own. Gives its process and its URL.
    ///
    /// # Panics
    /// If it doesn't listen.
    #[track_caller]
    pub fn start_registry(&self) -> (Process, String) {
        let registry = self.registry(0).spawn();
        let url = registry.registry_url();
        (registry, url)
    }
}

/// The checkout whose files and programs are tested.
pub(crate) fn checkout() -> &'static Checkout {
    static FOUND: OnceLock<Checkout> = OnceLock::new();
    FOUND.get_or_init(|| Checkout::of_this_run().unwrap_or_else(|error| panic!("{error:#}")))
}
