use std::sync::Arc;

use actr_lite_registry_client::{RegistryLink, TurnCredential};
use actr_lite_tls::ClientTls;
use actr_lite_webrtc::nat::relay::Credential;
use actr_lite_wire::ice_server::TurnUrl;

use crate::{
    peers::webrtc::{found::Found, named_relays::NamedRelays, reflexive, relay_task::RelayTask, sockets::Sockets},
    settings::webrtc::WebRtc,
    tasks::Tasks,
};

/// How others reach this node through NAT: it asks servers for addresses while somebody needs them.
pub(super) struct Nat {
    pub(super) webrtc: Arc<WebRtc>,
    pub(super) found: Arc<Found>,
    pub(super) sockets: Arc<Sockets>,
    /// Whom it trusts where it speaks TLS.
    pub(super) tls: ClientTls,
}

impl Nat {
    /// Asks the servers of Actr.toml, and those that the registry names, until the node stops.
    pub(super) async fn run(self, link: RegistryLink, tasks: Tasks) {
        let stop = tasks.stop().clone();
        let has_stun = !self.webrtc.stun_urls.is_empty() && !self.webrtc.force_relay;
        if has_stun {
            let urls = self.webrtc.stun_urls.clone();
            let ask = reflexive::run(urls, Arc::clone(&self.found), Arc::clone(&self.sockets), stop.clone());
            tasks.spawn_runtime("the questions to STUN servers", Box::pin(ask));
        }
        let mut relays = NamedRelays::new(stop.clone());
        let mut identities = link.identity_changes();
        loop {
            let identity = identities.borrow_and_update().clone();
            let named = self.relays_of(identity.and_then(|identity| identity.turn));
            relays.follow(named, |port, stop| {
                let task = RelayTask {
                    port,
                    found: Arc::clone(&self.found),
                    sockets: Arc::clone(&self.sockets),
                    tls: self.tls.clone(),
                };
                tasks.spawn_runtime("an address at a relay", Box::pin(task.run(stop)));
            });
            match stop.run_until_cancelled(identities.changed()).await {
                Some(Ok(())) => {}
                _ => return,
            }
        }
    }

    /// Which relays there are, and who the node is to each. A credential of Actr.toml is for its relays alone.
    fn relays_of(&self, granted: Option<TurnCredential>) -> Vec<(TurnUrl, Credential)> {
        let WebRtc { turn_urls, account, .. } = &*self.webrtc;
        let registered = granted.as_ref().map(|granted| Credential {
            username: granted.username.clone(),
            password: granted.password.clone(),
        });
        let own = account.as_ref().map(|account| Credential {
            username: account.username.clone(),
            password: account.password.clone(),
        });
        let own = own.or_else(|| registered.clone());
        let own = turn_urls.iter().filter_map(|url| Some((url.clone(), own.clone()?)));
        let named = granted.iter().flat_map(|granted| &granted.urls);
        let named = named.filter(|url| !turn_urls.contains(url));
        let named = named.filter_map(|url| Some((url.clone(), registered.clone()?)));
        own.chain(named).collect()
    }
}
