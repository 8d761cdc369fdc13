//! The Debian packages: built, looked at by lintian, installed, started, queried, upgraded, removed and purged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use programs::{Launch, Process, WAIT_TIMEOUT, registry_url, unused_port};
use tempfile::TempDir;

use crate::{
    installed::{PROGRAMS, checkout, program_folder},
    tool::{Tool, names, run},
};

const ACTR_TOML: &str = "etc/stream-register/server/Actr.toml";
const ARGUMENTS: &str = "etc/default/actr-lite-registry";
const ENABLED: &str = "etc/systemd/system/multi-user.target.wants/stream-register-server.service";

/// The packages, in a folder that stays as long as the tests run; nothing where there is no tool to build them.
pub(crate) fn packages() -> Option<Vec<PathBuf>> {
    static BUILT: OnceLock<Option<TempDir>> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        for tool in [Tool::new("dh", "debhelper"), Tool::new("dpkg-buildpackage", "dpkg-dev")] {
            tool.command()?;
        }
        let folder = TempDir::new().unwrap();
        let build = checkout("packaging/build-debian-packages");
        let mut build = Command::new(build);
        // Programs for tests are long, and no debugger is interested in these packages.
        build
            .env("DEB_BUILD_OPTIONS", "noautodbgsym")
            .env("DPKG_DEB_COMPRESSION", "-Zgzip -z1");
        run(build.arg(folder.path()).arg(program_folder()));
        Some(folder)
    });
    let folder = folder.as_ref()?.path();
    Some(names(folder).into_iter().map(|name| folder.join(name)).collect())
}

/// A folder in which packages are installed as if it were a machine.
struct Machine(TempDir);

impl Machine {
    /// Without anything. `None` if this user can't have one.
    fn new() -> Option<Self> {
        let root = TempDir::new().unwrap();
        for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc/systemd/system"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("var/lib/dpkg/status"), "").unwrap();
        let machine = Self(root);
        let works = machine
            .isolated("true")
            .output()
            .is_ok_and(|output| output.status.success());
        if !works {
            eprintln!("skipped: no package can be installed into a folder without a mount namespace: unshare --mount");
        }
        works.then_some(machine)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// A script in which this machine's own service manager is not to be seen: the packages' scripts would turn to it.
    fn isolated(&self, script: &str) -> Command {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        let script = format!("mount -t tmpfs none /run && {script}");
        command
            .args(["--mount", "sh", "-ec", &script, "sh"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// dpkg for this folder. The scripts of packages run as they are, told of the folder by `DPKG_ROOT`; what packages
    /// depend on is not in it.
    fn dpkg(&self, arguments: &[&str], packages: &[PathBuf]) {
        let mut dpkg = self.isolated("exec dpkg \"$@\"");
        dpkg.arg(format!("--root={}", self.0.path().display()));
        dpkg.args(["--force-depends", "--force-script-chrootless", "--force-unsafe-io"])
            .args(arguments)
            .args(packages);
        run(&mut dpkg);
    }

    fn status(&self, package: &str) -> String {
        let mut query = Command::new("dpkg-query");
        query.arg(format!("--admindir={}", self.path("var/lib/dpkg").display()));
        run(query.args(["--show", "--showformat=${Version} ${db:Status-Status}", package]))
    }

    fn program(&self, name: &str) -> Launch {
        Launch::new(name, &self.path("usr/bin").join(name))
    }

    /// The server with its installed configuration, on a port that nobody has. Only root of a real machine has its folder.
    fn server(&self, port: u16) -> Launch {
        self.program("stream-register-server")
            .arg("--actr-toml")
            .arg(self.path(ACTR_TOML))
            .config("system.signaling.url", registry_url(port))
            .config("system.signaling.data_dir", self.path("var/lib/keys").display())
    }

    fn client(&self, url: &str) -> Launch {
        let launch = self.program("stream-register-client").arg("--actr-toml");
        launch
            .arg(self.path("etc/stream-register/client/Actr.toml"))
            .config("system.signaling.url", url)
    }

    fn start_server(&self) -> (Process, String) {
        let server = self.server(0).spawn();
        let url = server.registry_url();
        server.ready();
        (server, url)
    }
}

/// The packages of the next version. `change` changes what is in them.
fn next_version(packages: &[PathBuf], folder: &Path, change: impl Fn(&Path)) -> Vec<PathBuf> {
    let next = |package: &PathBuf| {
        let name = package.file_stem().unwrap();
        let tree = folder.join(name);
        run(Command::new("dpkg-deb").arg("--raw-extract").arg(package).arg(&tree));
        let control = fs::read_to_string(tree.join("DEBIAN/control")).unwrap();
        fs::write(
            tree.join("DEBIAN/control"),
            control.replace("Version: 0.1.0", "Version: 0.1.1"),
        )
        .unwrap();
        change(&tree);
        let next = folder.join(name).with_extension("deb");
        run(Command::new("dpkg-deb")
            .args(["--root-owner-group", "-Zgzip", "-z1", "--build"])
            .arg(&tree)
            .arg(&next));
        next
    };
    packages.iter().map(next).collect()
}

#[test]
fn lintian_finds_nothing_wrong() {
    let (Some(mut lintian), Some(packages)) = (Tool::new("lintian", "lintian").command(), packages()) else {
        return;
    };
    // Root runs it in containers.
    let checked = lintian
        .args(["--fail-on", "error,warning", "--allow-root"])
        .args(packages);
    let printed = run(checked);
    assert_eq!(printed, "");
}

#[test]
fn the_packages_have_the_version_of_the_programs() {
    let Some(packages) = packages() else { return };
    let expected = PROGRAMS.map(|(_, name)| name);
    assert_eq!(packages.len(), expected.len());
    for package in &packages {
        let field = |name| {
            run(Command::new("dpkg-deb").arg("--field").arg(package).arg(name))
                .trim()
                .to_owned()
        };
        assert!(expected.contains(&field("Package").as_str()), "{}", package.display());
        assert_eq!(field("Version"), env!("CARGO_PKG_VERSION"));
    }
}

/// There is no service manager in the folder of the other tests.
#[test]
fn a_removal_stops_services_and_sockets_an_upgrade_does_not() {
    let Some(packages) = packages() else { return };
    for name in ["stream-register-server", "actr-lite-registry"] {
        let mut packages = packages.iter();
        let package = packages.find(|path| path.to_string_lossy().contains(name)).unwrap();
        let script = |script| run(Command::new("dpkg-deb").arg("--info").arg(package).arg(script));
        let stop = format!("deb-systemd-invoke stop {name}.socket {name}.service");
        let before = script("prerm");
        let (condition, _) = before.split_once(&stop).unwrap();
        assert!(condition.contains("if [ \"$1\" = remove ]"), "{condition}");
        assert!(script("postinst").contains("restart"), "the new version does not run");
        let scripts = run(Command::new("dpkg-deb").arg("--info").arg(package));
        assert!(
            !scripts.contains("preinst"),
            "it is stopped before an upgrade: {scripts}"
        );
    }
}

#[test]
fn what_is_installed_runs() {
    let (Some(packages), Some(machine)) = (packages(), Machine::new()) else {
        return;
    };
    machine.dpkg(&["--install"], &packages);
    for (_, name) in PROGRAMS {
        assert_eq!(machine.status(name), "0.1.0 installed");
        let version = machine.program(name).arg("--version").run();
        assert!(version.stdout.ends_with(" 0.1.0\n"), "{}", version.stdout);
        for file in [
            format!("usr/share/man/man1/{name}.1.gz"),
            format!("usr/share/bash-completion/completions/{name}"),
            format!("usr/share/zsh/vendor-completions/_{name}"),
            format!("usr/share/fish/vendor_completions.d/{name}.fish"),
        ] {
            assert!(machine.path(&file).is_file(), "{file}");
        }
    }
    // A link into the machine, which leads nowhere here.
    assert!(machine.path(ENABLED).is_symlink(), "the server is not enabled");
    let wants = names(machine.path(ENABLED).parent().unwrap());
    assert_eq!(wants.len(), 1, "{wants:?}");
    assert!(!machine.path("etc/systemd/system/sockets.target.wants").exists());
    let checked = machine.server(unused_port()).arg("--check").run();
    assert_eq!(checked.code(), Some(0), "{}", checked.stderr);
    let (_server, url) = machine.start_server();
    let client = machine.client(&url).arg("10").run();
    assert_eq!(client.code(), Some(0), "{}", client.stderr);
    assert!(
        client.stdout.starts_with("received 10/10 messages"),
        "{}",
        client.stdout
    );
}

#[test]
fn the_registrys_default_arguments_are_valid() {
    let (Some(packages), Some(machine)) = (packages(), Machine::new()) else {
        return;
    };
    machine.dpkg(&["--install"], &packages);
    let text = machine.read(ARGUMENTS);
    let arguments = text
        .lines()
        .find_map(|line| line.strip_prefix("REGISTRY_ARGUMENTS="))
        .unwrap();
    let here = |argument: &str| match argument {
        "127.0.0.1:8081" => "127.0.0.1:0".to_owned(),
        folder if folder.starts_with("/var/lib/") => machine.path(folder.trim_start_matches('/')).display().to_string(),
        other => other.to_owned(),
    };
    let arguments = arguments.trim_matches('"').split(' ').map(here);
    let registry = machine.program("actr-lite-registry").args(arguments).spawn();
    registry.wait_for_line("registry listening on ", WAIT_TIMEOUT);
}

#[test]
fn a_changed_configuration_survives_an_upgrade_and_a_removal() {
    let (Some(packages), Some(machine)) = (packages(), Machine::new()) else {
        return;
    };
    machine.dpkg(&["--install"], &packages);
    let changed = machine.read(ACTR_TOML).replace("realm_id = 1", "realm_id = 7");
    fs::write(machine.path(ACTR_TOML), &changed).unwrap();
    let folder = TempDir::new().unwrap();
    let newer = next_version(&packages, folder.path(), |tree| {
        for path in [ACTR_TOML, ARGUMENTS].map(|path| tree.join(path)) {
            if let Ok(text) = fs::read_to_string(&path) {
                fs::write(&path, format!("{text}# newer\n")).unwrap();
            }
        }
    });
    // What apt does if nobody is there to be asked.
    machine.dpkg(&["--force-confdef", "--force-confold", "--install"], &newer);
    assert_eq!(machine.status("stream-register-server"), "0.1.1 installed");
    assert_eq!(machine.read(ACTR_TOML), changed);
    assert!(machine.read(&format!("{ACTR_TOML}.dpkg-dist")).ends_with("# newer\n"));
    assert!(machine.read(ARGUMENTS).ends_with("# newer\n"), "nobody has changed it");
    assert!(machine.path(ENABLED).is_symlink());

    let names = PROGRAMS.map(|(_, name)| name);
    let kept = "var/lib/private/stream-register-server/keys";
    fs::create_dir_all(machine.path(kept)).unwrap();
    machine.dpkg(&[&["--remove"], &names[..]].concat(), &[]);
    assert_eq!(machine.status("stream-register-server"), "0.1.1 config-files");
    assert!(!machine.path("usr/bin/stream-register-server").exists());
    assert_eq!(machine.read(ACTR_TOML), changed);
    assert!(machine.path(kept).is_dir());

    machine.dpkg(&[&["--purge"], &names[..]].concat(), &[]);
    for path in [ACTR_TOML, ARGUMENTS, kept, ENABLED, "etc/stream-register"] {
        assert!(
            !machine.path(path).exists() && !machine.path(path).is_symlink(),
            "{path} is left"
        );
    }
}
