//! The open signaling connections, one for each node, as plain data.
//!
//! `H` is how a driver reaches a connection. Nothing here is told or woken: what is to be told comes out, for a time
//! without locks.

use std::{collections::HashMap, sync::Arc};

use actr_lite_wire::{error_code::ErrorCode, identity::ActrId, proto::ErrorResponse};
use thiserror::Error;

use crate::{
    answer::error,
    directory::REGISTER_AGAIN,
    in_flight::InFlight,
    ledger::Holder,
    relay::{Delivery, RelayQueue, Relayed},
};

/// Why the registry ends a signaling connection by its own decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Dismissal {
    /// The same actor opened another one.
    #[error("a newer connection of this actor")]
    Replaced,
    /// The actor gave no sign of life for a whole lease.
    #[error("no heartbeat for a whole lease: {REGISTER_AGAIN}")]
    LeaseExpired,
    /// The actor unregistered on an older connection.
    #[error("unregistered")]
    Unregistered,
    /// One of the actor's renewal tokens was used again.
    #[error("a renewal token of this actor was used again: {REGISTER_AGAIN}")]
    TokenReused,
}

/// A connection that is to end. It is out of the table.
#[derive(Debug)]
#[must_use = "the connection goes on until it is told"]
pub struct Notice<H> {
    /// Which connection.
    pub to: H,
    /// What it is told.
    pub why: Dismissal,
}

/// Who is to be told something, at a time without locks.
#[derive(Debug)]
#[must_use = "nobody is told anything by this"]
pub struct Told<H> {
    /// For these there is something to read.
    pub woken: Vec<H>,
    /// This one is to end.
    pub dismissed: Option<Notice<H>>,
}

impl<H> Default for Told<H> {
    fn default() -> Self {
        Self {
            woken: Vec::new(),
            dismissed: None,
        }
    }
}

/// The open signaling connections; as many as connections are allowed.
#[derive(Debug)]
pub struct Sessions<H> {
    open: HashMap<ActrId, OpenSession<H>>,
    opened: u64,
}

#[derive(Debug)]
struct OpenSession<H> {
    number: u64,
    handle: H,
    /// What others have sent to the node, and it has not got yet.
    relays: RelayQueue,
}

impl<H> Default for Sessions<H> {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            opened: 0,
        }
    }
}

impl<H> Sessions<H> {
    /// Notes a new connection. Returns its number, by which it is told from others of the node, and the notice for the
    /// node's older connection.
    pub(crate) fn open(&mut self, id: &ActrId, handle: H) -> (u64, Option<Notice<H>>) {
        let replaced = self.dismiss(id, Dismissal::Replaced);
        self.opened += 1;
        let session = OpenSession {
            number: self.opened,
            handle,
            relays: RelayQueue::default(),
        };
        self.open.insert(id.clone(), session);
        (self.opened, replaced)
    }

    /// Whether this node has a connection, which another one of it would replace.
    pub(crate) fn has(&self, id: &ActrId) -> bool {
        self.open.contains_key(id)
    }

    /// Forgets a connection; false if a newer one took its place.
    pub(crate) fn close(&mut self, id: &ActrId, number: u64) -> bool {
        let is_current = self.open.get(id).is_some_and(|session| session.number == number);
        is_current && self.open.remove(id).is_some()
    }

    /// Takes the connection that took the place of the one numbered `number`, if one did, out of the table.
    pub(crate) fn dismiss_successor(&mut self, id: &ActrId, number: u64, why: Dismissal) -> Option<Notice<H>> {
        let has_successor = self.open.get(id).is_some_and(|session| session.number != number);
        has_successor.then(|| self.dismiss(id, why)).flatten()
    }

    /// Takes a node's connection, if it has one, out of the table.
    pub fn dismiss(&mut self, id: &ActrId, why: Dismissal) -> Option<Notice<H>> {
        let to = self.open.remove(id)?.handle;
        Some(Notice { to, why })
    }

    /// What waits first for the node on its connection numbered `number`, and whether there is more.
    pub(crate) fn next_relay(&mut self, id: &ActrId, number: u64) -> Option<(Relayed, bool)> {
        let session = self.open.get_mut(id).filter(|session| session.number == number)?;
        let relayed = session.relays.pop()?;
        Some((relayed, !session.relays.is_empty()))
    }
}

impl<H: Clone> Sessions<H> {
    /// Queues messages for those whom they are for, on the account of `sender`; none of them if one has no connection.
    /// Whoever has something to read is put into `woken`.
    ///
    /// # Errors
    /// When somebody has no connection, or too much waits for it or of the sender.
    pub(crate) fn deliver(
        &mut self,
        deliveries: Vec<Delivery>,
        in_flight: &Arc<InFlight>,
        sender: Holder,
        woken: &mut Vec<H>,
    ) -> Result<(), ErrorResponse> {
        if let Some(gone) = deliveries.iter().find(|delivery| !self.has(&delivery.to)) {
            return Err(not_connected(&gone.to));
        }
        for Delivery { to, relayed } in deliveries {
            let session = self.open.get_mut(&to).ok_or_else(|| not_connected(&to))?;
            session.relays.push(relayed, &to, in_flight, sender)?;
            woken.push(session.handle.clone());
        }
        Ok(())
    }
}

/// That a node is registered and has no signaling connection.
fn not_connected(id: &ActrId) -> ErrorResponse {
    let message = format!("{id} has no signaling connection at the moment");
    error(ErrorCode::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(serial: u64) -> ActrId {
        ActrId::new(1, serial, "acme:Node:1.0.0".parse().unwrap())
    }

    #[test]
    fn a_node_has_one_connection_and_its_newest() {
        let mut sessions = Sessions::default();
        let (first, replaced) = sessions.open(&id(1), "first");
        assert!(replaced.is_none());
        let (second, replaced) = sessions.open(&id(1), "second");
        let Notice { to, why } = replaced.unwrap();
        assert_eq!((to, why), ("first", Dismissal::Replaced));
        assert!(!sessions.close(&id(1), first), "it is out already");
        assert!(sessions.has(&id(1)));
        assert!(sessions.close(&id(1), second));
        assert!(!sessions.has(&id(1)));
    }

    #[test]
    fn a_successor_alone_is_dismissed_for_its_predecessor() {
        let mut sessions = Sessions::default();
        let (first, _) = sessions.open(&id(1), "first");
        let why = Dismissal::Unregistered;
        assert!(sessions.dismiss_successor(&id(1), first, why).is_none());
        let (_, replaced) = sessions.open(&id(1), "second");
        assert!(replaced.is_some());
        let notice = sessions.dismiss_successor(&id(1), first, why);
        assert_eq!(notice.map(|notice| notice.to), Some("second"));
        assert!(!sessions.has(&id(1)));
    }
}
