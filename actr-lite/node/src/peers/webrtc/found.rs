use std::sync::Arc;

use actr_lite_webrtc::peer::Local;
use tokio::sync::watch;

/// The addresses that servers have found and made for a node, as long as somebody needs them.
pub(super) struct Found {
    is_relay_only: bool,
    addresses: watch::Sender<Addresses>,
    /// How many have sessions, or are about to.
    users: watch::Sender<usize>,
    /// How often somebody found that nothing comes any more.
    doubts: watch::Sender<u64>,
}

/// What servers have found and made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    /// For all sessions.
    pub(super) usable: Vec<Local>,
    /// Only for sessions that go over them already.
    pub(super) retired: Vec<Local>,
}

/// Who has sessions with a peer, and tells it the addresses. As long as there is one they are kept.
pub(super) struct NatUser {
    found: Arc<Found>,
    addresses: watch::Receiver<Addresses>,
}

impl Found {
    /// None yet, and nobody needs any. If `is_relay_only`, peers are to be told only those at relays.
    pub(super) fn new(is_relay_only: bool) -> Arc<Self> {
        Arc::new(Self {
            is_relay_only,
            addresses: watch::Sender::default(),
            users: watch::Sender::default(),
            doubts: watch::Sender::default(),
        })
    }

    /// How many need the addresses.
    pub(super) fn users(&self) -> watch::Receiver<usize> {
        self.users.subscribe()
    }

    /// Changes when somebody finds that nothing comes any more: the addresses may be others by now.
    pub(super) fn doubts(&self) -> watch::Receiver<u64> {
        self.doubts.subscribe()
    }

    /// There is another address.
    pub(super) fn add(&self, local: Local) {
        self.addresses.send_if_modified(|addresses| {
            let is_new = !addresses.has(local);
            if is_new {
                addresses.usable.push(local);
            }
            is_new
        });
    }

    /// Nobody else is to use those.
    pub(super) fn retire(&self, is_retired: impl Fn(Local) -> bool) {
        self.addresses.send_if_modified(|addresses| {
            let retired = addresses.usable.extract_if(.., |local| is_retired(*local));
            let before = addresses.retired.len();
            addresses.retired.extend(retired);
            addresses.retired.len() != before
        });
    }

    /// Those are gone.
    pub(super) fn remove(&self, is_gone: impl Fn(Local) -> bool) {
        self.addresses.send_if_modified(|addresses| {
            let gone = addresses.all().filter(|local| is_gone(*local)).count();
            for locals in [&mut addresses.usable, &mut addresses.retired] {
                locals.retain(|local| !is_gone(*local));
            }
            gone > 0
        });
    }

    /// Somebody who needs the addresses.
    pub(super) fn enter(self: &Arc<Self>) -> NatUser {
        self.users.send_modify(|users| *users += 1);
        let mut addresses = self.addresses.subscribe();
        // What there is already is new to it.
        addresses.mark_changed();
        NatUser {
            found: Arc::clone(self),
            addresses,
        }
    }
}

impl Addresses {
    pub(super) fn all(&self) -> impl Iterator<Item = Local> {
        self.usable.iter().chain(&self.retired).copied()
    }

    pub(super) fn has(&self, local: Local) -> bool {
        self.all().any(|known| known == local)
    }
}

impl NatUser {
    /// Whether only addresses at relays are to be told.
    pub(super) fn is_relay_only(&self) -> bool {
        self.found.is_relay_only
    }

    /// The addresses, once they have changed; at first those that there are.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn changed(&mut self) -> Addresses {
        // It can't end: this has the sender.
        let _ = self.addresses.changed().await;
        self.addresses.borrow_and_update().clone()
    }

    /// Nothing comes any more: the addresses may be others by now.
    pub(super) fn doubt(&self) {
        self.found.doubts.send_modify(|doubts| *doubts += 1);
    }
}

impl Drop for NatUser {
    fn drop(&mut self) {
        self.found.users.send_modify(|users| *users -= 1);
    }
}
