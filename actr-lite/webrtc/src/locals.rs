//! The addresses of this node.

use std::net::SocketAddr;

use crate::local::Local;

/// Where this node is reached, by all of its sessions with a peer.
#[derive(Debug, Default)]
pub(crate) struct Locals {
    usable: Vec<Local>,
    /// Those that only the session that there is may use.
    retired: Vec<Local>,
}

impl Locals {
    /// Those that a new session uses.
    pub(crate) fn usable(&self) -> &[Local] {
        &self.usable
    }

    /// There is one more. Whether it is new.
    pub(crate) fn add(&mut self, local: Local) -> bool {
        let is_new = !self.usable.contains(&local) && !self.retired.contains(&local);
        if is_new {
            self.usable.push(local);
        }
        is_new
    }

    /// No further session is to use it.
    pub(crate) fn retire(&mut self, local: Local) {
        if let Some(at) = self.usable.iter().position(|known| *known == local) {
            self.retired.push(self.usable.swap_remove(at));
        }
    }

    /// It is gone.
    pub(crate) fn remove(&mut self, local: Local) {
        for locals in [&mut self.usable, &mut self.retired] {
            locals.retain(|known| *known != local);
        }
    }

    /// Whether this address is at a relay.
    pub(crate) fn is_relayed(&self, address: SocketAddr) -> bool {
        let mut locals = self.usable.iter().chain(&self.retired);
        locals.any(|local| local.is_relayed() && local.address() == address)
    }
}
