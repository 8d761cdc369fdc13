//! The container image: its programs run as nobody in particular, on a file system that nobody can write to.

use std::{fs, process::Command};

use programs::{Launch, Signal, WAIT_TIMEOUT, registry_url};
use rustix::process::geteuid;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    installed::{checkout, program_folder},
    tool::{Tool, run},
};

/// An image that is unpacked.
struct Image {
    root: TempDir,
    /// What a container runtime does with it.
    config: Value,
}

impl Image {
    /// As it is built here; nothing where that can't be.
    fn build() -> Option<Self> {
        Tool::new("buildah", "buildah").command()?;
        if !geteuid().is_root() {
            eprintln!("skipped: only root builds the container image and mounts what is in it");
            return None;
        }
        let (folder, root) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let file = folder.path().join("image.tar");
        let build = checkout("packaging/build-container-image");
        run(Command::new(build).arg(&file).arg(program_folder()));
        let unpack = |file| run(Command::new("tar").arg("-xf").arg(file).arg("-C").arg(folder.path()));
        unpack(file);
        let json =
            |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.path().join(name)).unwrap()).unwrap() };
        let manifest = &json("manifest.json")[0];
        for layer in manifest["Layers"].as_array().unwrap() {
            let layer = folder.path().join(layer.as_str().unwrap());
            run(Command::new("tar").arg("-xf").arg(layer).arg("-C").arg(root.path()));
        }
        let config = json(manifest["Config"].as_str().unwrap())["config"].take();
        Some(Self { root, config })
    }

    /// The words of a command in it.
    fn words(&self, key: &str) -> Vec<String> {
        let words = self.config.pointer(key).and_then(Value::as_array).unwrap();
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    }

    /// A command as a container runtime runs it: as the image's user, with the image as its file system, read-only.
    fn command(&self, words: &[String]) -> Launch {
        let script = r#"
            root=$1 user=$2
            shift 2
            mount --bind "$root" "$root"
            mount -o remount,bind,ro "$root"
            mount -t proc proc "$root/proc"
            exec chroot --userspec="$user" "$root" "$@"
        "#;
        let user = self.config["User"].as_str().unwrap();
        let program = format!("/usr/bin/{}", words[0]);
        let launch = Launch::new(&words[0], "unshare".as_ref()).args(["--mount", "sh", "-ec", script, "sh"]);
        launch.arg(self.root.path()).args([user, &program]).args(&words[1..])
    }
}

#[test]
fn the_images_programs_run_as_nobody_on_a_read_only_file_system() {
    let Some(image) = Image::build() else { return };
    let is_root = image.config["User"]
        .as_str()
        .is_none_or(|user| user.starts_with('0') || user.is_empty());
    assert!(!is_root, "{}", image.config);
    assert_eq!(image.config["StopSignal"], "SIGTERM");
    let server = image
        .command(&image.words("/Cmd"))
        .config("system.signaling.url", registry_url(0))
        .spawn();
    let url = server.registry_url();
    server.ready();
    let client = |words: &[String]| image.command(words).config("system.signaling.url", &url).run();
    let health = client(&image.words("/Healthcheck/Test")[1..]);
    assert_eq!(health.code(), Some(0), "{}", health.stderr);
    let ten = [
        "stream-register-client",
        "--actr-toml",
        "/etc/stream-register/client/Actr.toml",
        "10",
    ];
    let ten = client(&ten.map(ToOwned::to_owned));
    assert!(
        ten.stdout.starts_with("received 10/10 messages"),
        "{}{}",
        ten.stdout,
        ten.stderr
    );
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit(WAIT_TIMEOUT).code(), Some(0));
    // Without a server it is not healthy.
    assert_eq!(client(&image.words("/Healthcheck/Test")[1..]).code(), Some(1));
}
