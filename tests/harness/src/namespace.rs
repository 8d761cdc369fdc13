//! Network namespaces (Linux, for root, with `ip` of iproute2): hosts of a network that a test makes for itself.

use std::{
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, ensure};
use programs::{CommandLine, Launch};

/// A host of its own, or a router. Dropping it removes it, with its interfaces.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one, which has only its loopback interface; `role` is part of its name.
    ///
    /// # Errors
    /// If it can't be made, usually because the user is not root.
    pub fn try_new(role: &str) -> anyhow::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}-{}-{role}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        ip(&format!("netns add {name}"))?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Joins it with another one by a cable: the interfaces at both ends, and their addresses with their networks.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn join(
        &self,
        (interface, address): (&str, &str),
        other: &Self,
        (other_interface, other_address): (&str, &str),
    ) -> anyhow::Result<()> {
        let peer = &other.name;
        self.ip(&format!(
            "link add {interface} type veth peer name {other_interface} netns {peer}"
        ))?;
        for (end, interface, address) in [(self, interface, address), (other, other_interface, other_address)] {
            end.ip(&format!("address add {address} dev {interface}"))?;
            end.ip(&format!("link set {interface} up"))?;
        }
        Ok(())
    }

    /// What is not for a network of its own goes to this router.
    ///
    /// # Errors
    /// If it can't be set.
    pub fn route_by(&self, gateway: &str) -> anyhow::Result<()> {
        self.ip(&format!("route replace default via {gateway}"))
    }

    /// Whether it passes on what is not for itself.
    ///
    /// # Errors
    /// If it can't be set.
    pub fn forward(&self, forwards: bool) -> anyhow::Result<()> {
        let forwards = u8::from(forwards);
        self.run(
            "sh",
            &["-c", &format!("echo {forwards} > /proc/sys/net/ipv4/ip_forward")],
        )
    }

    /// Runs `ip` in it.
    ///
    /// # Errors
    /// If that fails.
    pub fn ip(&self, arguments: &str) -> anyhow::Result<()> {
        ip(&format!("-n {} {arguments}", self.name))
    }

    /// Runs a program in it, to its end.
    ///
    /// # Errors
    /// If that fails.
    pub fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]).args(arguments);
        run(&mut command)
    }

    /// A program that is to run in it.
    #[must_use]
    pub fn on(&self, launch: Launch) -> Launch {
        launch.under("ip", &["netns", "exec", &self.name])
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    run(Command::new("ip").args(arguments.split(' ')))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", CommandLine(command)))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}: {}\n{complaints}",
        CommandLine(command),
        output.status
    );
    Ok(())
}
