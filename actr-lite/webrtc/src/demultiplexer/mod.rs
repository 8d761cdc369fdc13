//! Whose the datagrams are that come to sockets which many sessions share.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    slice,
};

use crate::stun::{Class, Stun, Transaction, is_stun};

#[cfg(test)]
mod tests;

/// How many users the sockets may have: eight times the connections that a node takes if nothing else is configured.
pub const MAX_ROUTES: usize = 16 << 10;

/// How many names a user goes by: that of its session, of the one that is being made, and what each was called before its
/// last restart.
pub const MAX_NAMES: usize = 4;

/// How many questions of a user may be open. ICE asks some 20 in a second while it looks for a path, and the slowest answer
/// takes a second or two.
pub const MAX_QUESTIONS: usize = 64;

/// From how many addresses a user's datagrams may come. ICE tries each of a host's against each of this one's; more than
/// some ten answer nowhere.
pub const MAX_PATHS: usize = 32;

/// How many users one address may have: a node that has registered anew has another id at the same address.
pub const MAX_SHARING: usize = 4;

/// A user of the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Route(u64);

/// Where a datagram comes from, and at which address of this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Path {
    /// This host's.
    pub local: SocketAddr,
    /// The sender's.
    pub remote: SocketAddr,
}

/// What shows that an address is a user's. The user has authenticated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// A question has come from there. Whoever has sent it may have forged the address.
    Question,
    /// A question that was sent there was answered: whoever answers has seen it.
    Answer,
}

/// Tells for each datagram whose it is: a connectivity check's by the name in it, an answer's by its question, and all
/// others' by where they come from.
///
/// Nobody can take an address from somebody else. Whoever only seems to be at an address gets nothing from there once
/// somebody else has shown to be there. If several have, they get everything, and each knows its own by its keys.
#[derive(Debug)]
pub struct Demultiplexer<T> {
    last: u64,
    users: HashMap<Route, User<T>>,
    by_name: HashMap<String, Route>,
    by_question: HashMap<Transaction, Route>,
    by_path: HashMap<Path, Claims>,
}

#[derive(Debug)]
struct User<T> {
    target: T,
    names: VecDeque<String>,
    questions: VecDeque<Transaction>,
    paths: VecDeque<Path>,
}

/// Who is at an address.
#[derive(Debug, Default)]
struct Claims {
    shown: Vec<Route>,
    claimed: Vec<Route>,
}

impl<T> Default for Demultiplexer<T> {
    fn default() -> Self {
        Self {
            last: 0,
            users: HashMap::new(),
            by_name: HashMap::new(),
            by_question: HashMap::new(),
            by_path: HashMap::new(),
        }
    }
}

impl<T> Demultiplexer<T> {
    /// One more user, whose datagrams go to `target`; `None` if there are [too many](MAX_ROUTES).
    pub fn enter(&mut self, target: T) -> Option<Route> {
        if self.users.len() == MAX_ROUTES {
            return None;
        }
        self.last += 1;
        let user = User {
            target,
            names: VecDeque::new(),
            questions: VecDeque::new(),
            paths: VecDeque::new(),
        };
        self.users.insert(Route(self.last), user);
        Some(Route(self.last))
    }

    /// A user is gone.
    pub fn leave(&mut self, route: Route) {
        self.clear(route);
        self.users.remove(&route);
    }

    /// A user stays, and its session is gone: nothing is the user's any more.
    pub fn clear(&mut self, route: Route) {
        let Some(user) = self.users.get_mut(&route) else { return };
        for name in user.names.drain(..) {
            self.by_name.remove(&name);
        }
        for question in user.questions.drain(..) {
            self.by_question.remove(&question);
        }
        for path in user.paths.drain(..) {
            remove_claim(&mut self.by_path, path, route);
        }
    }

    /// A user goes by this name too, which is random. Its oldest may be forgotten.
    pub fn name(&mut self, route: Route, name: &str) {
        let Some(user) = self.users.get_mut(&route) else { return };
        // Nobody else's name is taken.
        if self.by_name.contains_key(name) {
            return;
        }
        if user.names.len() == MAX_NAMES
            && let Some(oldest) = user.names.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        user.names.push_back(name.to_owned());
        self.by_name.insert(name.to_owned(), route);
    }

    /// A user has asked this. Its oldest question may be forgotten.
    pub fn asked(&mut self, route: Route, question: Transaction) {
        let Some(user) = self.users.get_mut(&route) else { return };
        if self.by_question.contains_key(&question) {
            return;
        }
        if user.questions.len() == MAX_QUESTIONS
            && let Some(oldest) = user.questions.pop_front()
        {
            self.by_question.remove(&oldest);
        }
        user.questions.push_back(question);
        self.by_question.insert(question, route);
    }

    /// What comes over this path may be a user's. The one that it has not heard of for the longest time may be forgotten.
    pub fn bind(&mut self, route: Route, path: Path, evidence: Evidence) {
        let Some(user) = self.users.get_mut(&route) else { return };
        let claims = self.by_path.entry(path).or_default();
        let displaced = match evidence {
            Evidence::Answer if !claims.shown.contains(&route) => {
                claims.claimed.retain(|it| *it != route);
                claims.shown.push(route);
                // They are all at the same host. The newest of its ids is the one that it goes by.
                (claims.shown.len() > MAX_SHARING).then(|| claims.shown.remove(0))
            }
            Evidence::Question if !claims.has(route) => {
                if claims.claimed.len() == MAX_SHARING {
                    return;
                }
                claims.claimed.push(route);
                None
            }
            _ => None,
        };
        user.paths.retain(|it| *it != path);
        user.paths.push_back(path);
        if user.paths.len() > MAX_PATHS
            && let Some(oldest) = user.paths.pop_front()
        {
            remove_claim(&mut self.by_path, oldest, route);
        }
        if let Some(displaced) = displaced.and_then(|displaced| self.users.get_mut(&displaced)) {
            displaced.paths.retain(|it| *it != path);
        }
    }

    /// Whose a datagram is: nobody's, as a rule one user's, or that of several.
    pub fn find(&self, path: Path, datagram: &[u8]) -> &[Route] {
        let by_path = || self.by_path.get(&path).map_or(&[][..], Claims::holders);
        if !is_stun(datagram) {
            return by_path();
        }
        let Some(stun) = Stun::read(datagram) else { return &[] };
        let one = match stun.class {
            Class::Request => stun.asked().and_then(|name| self.by_name.get(name)),
            Class::Success | Class::Failure => self.by_question.get(&stun.transaction),
            Class::Indication => return by_path(),
        };
        one.map_or(&[], slice::from_ref)
    }

    /// Where the datagrams of a user go.
    pub fn target(&self, route: Route) -> Option<&T> {
        self.users.get(&route).map(|user| &user.target)
    }
}

impl Claims {
    fn has(&self, route: Route) -> bool {
        self.shown.contains(&route) || self.claimed.contains(&route)
    }

    fn holders(&self) -> &[Route] {
        match self.shown.is_empty() {
            true => &self.claimed,
            false => &self.shown,
        }
    }
}

fn remove_claim(by_path: &mut HashMap<Path, Claims>, path: Path, route: Route) {
    let Some(claims) = by_path.get_mut(&path) else { return };
    claims.shown.retain(|it| *it != route);
    claims.claimed.retain(|it| *it != route);
    if claims.holders().is_empty() {
        by_path.remove(&path);
    }
}
