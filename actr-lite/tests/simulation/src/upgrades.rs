use std::time::Duration;

use actr_lite_engine::{
    accounts::Admission,
    upgrade::{
        refused::RefusedUpgrade,
        request::{IdentityError, UpgradeRequest, unproven},
    },
};
use actr_lite_manifest::Limits;
use actr_lite_registry_client::{REQUEST_TIMEOUT, Request};
use actr_lite_wire::{
    credential::{CredentialError, VerifyingKey},
    record_limit::RecordLimit,
    websocket::Role,
};
use bytes::BytesMut;
use http::{Method, StatusCode, header::SEC_WEBSOCKET_PROTOCOL};

use crate::{
    context::{Context, earlier},
    handshake::{AGREED, DATA_LANE, Head, REFUSED, Unsent, block, read_all, take_block},
    lane::Upgraded,
    network::Socket,
    node::Node,
    upgrade::Upgrade,
};

/// What is to happen with an upgrade.
enum Next {
    /// To wait.
    Later,
    Admit(UpgradeRequest, Admission),
    Refuse(RefusedUpgrade),
}

/// How a node takes connections of its peers: the shell around the engine's doorkeeper.
impl Node {
    pub(crate) fn accept(&mut self, socket: Socket, cx: &mut Context<'_>) {
        let (place, evicted) = self.upgrade_places.enter(cx.network.source(socket), socket);
        let header_timeout = Limits::default().header_timeout.duration();
        self.upgrades.push(Upgrade {
            socket,
            place,
            buffer: BytesMut::new(),
            deadline: cx.now + header_timeout,
            asked: None,
            refusal: None,
        });
        if let Some(at) = self.upgrades.iter().position(|upgrade| Some(upgrade.socket) == evicted) {
            let upgrade = self.upgrades.remove(at);
            self.drop_upgrade(&upgrade, cx);
        }
    }

    /// A connection is not to become a data lane.
    pub(crate) fn drop_upgrade(&mut self, upgrade: &Upgrade, cx: &mut Context<'_>) {
        self.upgrade_places.leave(upgrade.place);
        if let Some((number, _)) = upgrade.asked {
            self.link.forget(number);
        }
        cx.network.close(upgrade.socket, cx.now, cx.rng);
    }

    pub(crate) fn poll_upgrades(&mut self, cx: &mut Context<'_>) -> Option<Duration> {
        let mut wake = None;
        for mut upgrade in std::mem::take(&mut self.upgrades) {
            match self.poll_upgrade(&mut upgrade, cx) {
                None => self.drop_upgrade(&upgrade, cx),
                Some(Next::Admit(request, admission)) => self.let_in(upgrade, request, admission, cx),
                Some(next) => {
                    if let Next::Refuse(refused) = next {
                        cx.record("refuses connection {}", [upgrade.socket.connection, 0]);
                        let mut unsent = Unsent::default();
                        unsent.push(&block(REFUSED, &Head::answer(refused.into_response()).to_bytes()));
                        upgrade.refusal = Some(unsent);
                        self.progress = true;
                    }
                    wake = earlier(wake, Some(upgrade.deadline));
                    self.upgrades.push(upgrade);
                }
            }
        }
        wake
    }

    /// What is next; none: it is over.
    fn poll_upgrade(&mut self, upgrade: &mut Upgrade, cx: &mut Context<'_>) -> Option<Next> {
        let socket = upgrade.socket;
        let is_open = upgrade.asked.is_some() || read_all(socket, &mut upgrade.buffer, cx);
        if let Some(unsent) = &mut upgrade.refusal {
            let is_over = unsent.flush(socket, cx).is_err() || unsent.is_empty() || cx.now >= upgrade.deadline;
            return (!is_over).then_some(Next::Later);
        }
        if !is_open || cx.now >= upgrade.deadline || self.is_leaving() {
            return None;
        }
        let decided = match &upgrade.asked {
            Some((number, request)) => self.answered_key(*number, request.clone(), cx),
            None => {
                let Some((kind, body)) = take_block(&mut upgrade.buffer) else {
                    return Some(Next::Later);
                };
                cx.check(kind == DATA_LANE, || "an upgrade that is none".into());
                self.read_upgrade(upgrade, Head::read(&body), cx)
            }
        };
        Some(decided.unwrap_or_else(Next::Refuse))
    }

    /// A request for an upgrade came.
    fn read_upgrade(
        &mut self,
        upgrade: &mut Upgrade,
        head: Head,
        cx: &mut Context<'_>,
    ) -> Result<Next, RefusedUpgrade> {
        let from = cx.network.source(upgrade.socket);
        self.doorkeeper.knock(from, cx.now)?;
        let mut headers = head.headers;
        if !self.manner.extended {
            headers.remove(SEC_WEBSOCKET_PROTOCOL);
        }
        let request = UpgradeRequest::read(&Method::GET, &headers)?;
        let key_id = request.key_id();
        let key = self.link.known_key(key_id, cx.now);
        if key.is_some() || self.link.identity().is_none() {
            return self.admit(request, key, cx);
        }
        self.doorkeeper.ask_for_key(from, cx.now)?;
        let number = self
            .link
            .request(Request::SigningKey { key_id }, REQUEST_TIMEOUT, cx.now);
        upgrade.asked = Some((number, request));
        self.progress = true;
        Ok(Next::Later)
    }

    /// The registry may have told the key of a request.
    fn answered_key(
        &mut self,
        number: u64,
        request: UpgradeRequest,
        cx: &mut Context<'_>,
    ) -> Result<Next, RefusedUpgrade> {
        let Some(answer) = self.link.take_answer(number) else {
            return Ok(Next::Later);
        };
        let key = self.link.learned(request.key_id(), answer, cx.now);
        self.admit(request, key, cx)
    }

    /// Whether the peer is who it says, and may come in.
    fn admit(
        &mut self,
        request: UpgradeRequest,
        key: Option<VerifyingKey>,
        cx: &mut Context<'_>,
    ) -> Result<Next, RefusedUpgrade> {
        let key = key.ok_or_else(|| unproven(&"its signing key is not known"))?;
        let now = self.link.unix_seconds(cx.now);
        let recalled = self.doorkeeper.recall(&key, &request);
        let genuine = match recalled {
            Some(genuine) => genuine,
            None => key
                .authenticate(request.credential())
                .map_err(|error| unproven(&error))?,
        };
        let proven = request.verify(&genuine, |_| true, now).map_err(|error| {
            let peer = &request.peer;
            let is_over = matches!(error, IdentityError::Credential(CredentialError::Expired { .. }));
            cx.check(is_over, || {
                format!("{peer} shows a credential that is not good: {error}")
            });
            cx.record(
                "is shown an ended credential by serial number {}",
                [peer.serial_number(), 0],
            );
            unproven(&error)
        })?;
        let taken = self.doorkeeper.take_proof(&request.peer, &genuine, proven, now);
        taken.map_err(|error| unproven(&error))?;
        self.doorkeeper.enter(&request, self.is_leaving(), cx.now)?;
        let too_many = |limit| RefusedUpgrade::new(StatusCode::TOO_MANY_REQUESTS, format!("this node has {limit}"));
        let account = self.accounts.of(&request.peer).map_err(too_many)?;
        let admission = account.admit().map_err(too_many)?;
        Ok(Next::Admit(request, admission))
    }

    /// The peer is let in.
    fn let_in(&mut self, upgrade: Upgrade, request: UpgradeRequest, admission: Admission, cx: &mut Context<'_>) {
        let answer = match request.accept(RecordLimit::default()) {
            Ok(answer) => Head::answer(answer).to_bytes(),
            Err(refused) => return cx.fail(refused.reason),
        };
        cx.record(
            "accepts connection {} of {}",
            [upgrade.socket.connection, request.peer.serial_number()],
        );
        self.upgrade_places.leave(upgrade.place);
        let upgraded = Upgraded {
            socket: upgrade.socket,
            peer: request.peer,
            role: Role::Server,
            extended: request.agreed.extended,
            admission,
            leftover: upgrade.buffer,
        };
        self.opened(upgraded, cx);
        if let Some(lane) = self.lanes.last_mut() {
            lane.outbox.send_raw(&block(AGREED, &answer));
        }
    }
}
