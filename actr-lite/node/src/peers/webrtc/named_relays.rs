use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use actr_lite_webrtc::nat::relay::Credential;
use actr_lite_wire::ice_server::TurnUrl;
use tokio_util::sync::CancellationToken;

use crate::peers::webrtc::relay_port::RelayPort;

/// How many relays a node uses: those of Actr.toml, and those that its registry names.
const MAX_RELAYS: usize = 16;

/// How many relays that are not named any more are kept for the sessions that go over them. Beyond that the oldest is let go
/// of, and those sessions look for another path.
const MAX_RETIRED: usize = MAX_RELAYS;

/// The relays that a node uses. Those that are named to it may be others after each renewal of its credential.
pub(super) struct NamedRelays {
    stop: CancellationToken,
    named: Vec<(Arc<RelayPort>, CancellationToken)>,
    /// Those that are not named any more. A port is gone when its task has ended.
    retired: VecDeque<(Weak<RelayPort>, CancellationToken)>,
}

impl NamedRelays {
    /// None yet. All end with `stop`.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            named: Vec::new(),
            retired: VecDeque::new(),
        }
    }

    /// These are named now, and no others. `begin` is to use each that is new, until it is over or told to stop.
    pub(super) fn follow(
        &mut self,
        named: Vec<(TurnUrl, Credential)>,
        mut begin: impl FnMut(Arc<RelayPort>, CancellationToken),
    ) {
        let is_named = |port: &RelayPort| named.iter().any(|(url, _)| url == port.url());
        for (port, stop) in self.named.extract_if(.., |(port, _)| !is_named(port)) {
            port.retire();
            self.retired.push_back((Arc::downgrade(&port), stop));
        }
        self.retired.retain(|(port, _)| port.strong_count() > 0);
        let surplus = self.retired.len().saturating_sub(MAX_RETIRED);
        for (_, stop) in self.retired.drain(..surplus) {
            stop.cancel();
        }
        for (url, credential) in named {
            if let Some((port, _)) = self.named.iter().find(|(port, _)| *port.url() == url) {
                port.set_credential(credential);
            } else if self.named.len() < MAX_RELAYS {
                let (port, stop) = (RelayPort::new(url, credential), self.stop.child_token());
                begin(Arc::clone(&port), stop.clone());
                self.named.push((port, stop));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Begun = Vec<(Arc<RelayPort>, CancellationToken)>;

    fn follow(relays: &mut NamedRelays, hosts: &[usize], begun: &mut Begun) {
        let named = hosts.iter().map(|host| {
            let credential = Credential {
                username: "user".into(),
                password: "secret".into(),
            };
            (format!("turn:host{host}").parse().unwrap(), credential)
        });
        relays.follow(named.collect(), |port, stop| begun.push((port, stop)));
    }

    #[test]
    fn a_relay_is_retired_when_it_is_not_named_any_more() {
        let (mut relays, mut begun) = (NamedRelays::new(CancellationToken::new()), Begun::new());
        follow(&mut relays, &[1, 2], &mut begun);
        follow(&mut relays, &[2, 3], &mut begun);
        let retired: Vec<_> = begun.iter().map(|(port, _)| port.is_retired()).collect();
        assert_eq!(retired, [true, false, false]);
        // It may be named again before it is over.
        follow(&mut relays, &[1, 2, 3], &mut begun);
        assert_eq!(begun.len(), 4);
        assert!(!begun[3].0.is_retired() && begun[3].0.url() == begun[0].0.url());
    }

    #[test]
    fn relays_that_are_still_used_are_kept_up_to_a_bound() {
        let stop = CancellationToken::new();
        let (mut relays, mut begun) = (NamedRelays::new(stop.clone()), Begun::new());
        for host in 0..=MAX_RETIRED + 1 {
            follow(&mut relays, &[host], &mut begun);
        }
        let stopped: Vec<_> = begun.iter().map(|(_, stop)| stop.is_cancelled()).collect();
        assert!(stopped[0] && !stopped[1..].contains(&true), "{stopped:?}");
        stop.cancel();
        assert!(begun.iter().all(|(_, stop)| stop.is_cancelled()));
        // Those that are over don't count.
        begun.clear();
        follow(&mut relays, &[], &mut begun);
        assert_eq!(relays.retired.len(), 0);
    }

    #[test]
    fn no_more_relays_are_used_than_the_limit() {
        let (mut relays, mut begun) = (NamedRelays::new(CancellationToken::new()), Begun::new());
        follow(&mut relays, &(0..100).collect::<Vec<_>>(), &mut begun);
        assert_eq!(begun.len(), MAX_RELAYS);
    }
}
