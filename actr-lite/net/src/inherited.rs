//! Listening sockets that the service manager has opened before the program started: `sd_listen_fds(3)`.
//!
//! A socket is for whoever is to listen at its address, so that nothing else has to say which one is whose.

use std::{
    env, mem,
    net::{SocketAddr, TcpListener},
    process,
    sync::{Mutex, MutexGuard, PoisonError},
};

use thiserror::Error;
use tracing::warn;

/// The most sockets that are taken: a program listens at three addresses.
const MAX_SOCKETS: usize = 16;

/// Those that nobody uses yet.
static INHERITED: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());

/// What a service manager has passed is not what this program can use.
#[derive(Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InheritError {
    /// There is no telling how many there are.
    #[error("LISTEN_FDS is {0:?}: it has to be a number up to {MAX_SOCKETS}, as a service manager sets it")]
    Count(String),
    /// It is something else.
    #[error(
        "descriptor {descriptor} {name:?} of the service manager is no TCP socket that listens: a .socket unit for this \
         program has only ListenStream= with an IP address and a port, and Accept=no"
    )]
    NoListener {
        /// Its number.
        descriptor: usize,
        /// How the service manager calls it.
        name: String,
    },
}

/// Takes over the listening sockets that the service manager has passed to this process, if it has passed any. Whoever
/// [listens](crate::listener::Listener::bind) later at the address of one of them uses that one.
///
/// It changes the environment, so that programs which this one starts look for no sockets: call it before there are other
/// threads.
///
/// # Errors
/// If what was passed is something else.
pub fn adopt() -> Result<(), InheritError> {
    let variable = |name| env::var(name).ok();
    let count = count(variable("LISTEN_PID"), variable("LISTEN_FDS"), process::id())?;
    if count > 0 {
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        let listeners = listeners(count, &names)?;
        inherited().extend(listeners);
    }
    Ok(())
}

/// Closes those that nobody has used, and warns of each: who connects there waits for ever. Call it when all listeners are
/// bound, or can't be.
pub fn close_unused() {
    let unused = mem::take(&mut *inherited());
    for address in unused.iter().filter_map(|listener| listener.local_addr().ok()) {
        warn!(
            "the service manager has opened a socket at {address}, where this program does not listen: ListenStream= of its \
             .socket unit has to be an address that it listens at"
        );
    }
}

/// The one that listens at one of these addresses. It does not block.
pub(crate) fn take(addresses: &[SocketAddr]) -> Option<TcpListener> {
    let mut inherited = inherited();
    let is_wanted = |listener: &TcpListener| listener.local_addr().is_ok_and(|address| addresses.contains(&address));
    let index = inherited.iter().position(is_wanted)?;
    Some(inherited.swap_remove(index))
}

fn inherited() -> MutexGuard<'static, Vec<TcpListener>> {
    INHERITED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many sockets there are. They are this process's own only if it is named.
fn count(pid: Option<String>, count: Option<String>, own_pid: u32) -> Result<usize, InheritError> {
    let Some(count) = count.filter(|_| pid == Some(own_pid.to_string())) else {
        return Ok(0);
    };
    let number = count.parse().ok().filter(|number| *number <= MAX_SOCKETS);
    number.ok_or(InheritError::Count(count))
}

#[cfg(target_os = "linux")]
fn listeners(count: usize, names: &str) -> Result<Vec<TcpListener>, InheritError> {
    const FIRST_DESCRIPTOR: usize = 3;
    let mut sockets = listenfd::ListenFd::from_env();
    let mut names = names.split(':');
    let mut next = |index| {
        let name = names.next().unwrap_or_default();
        listener(&mut sockets, index).ok_or_else(|| InheritError::NoListener {
            descriptor: FIRST_DESCRIPTOR + index,
            name: name.to_owned(),
        })
    };
    (0..count).map(&mut next).collect()
}

#[cfg(target_os = "linux")]
fn listener(sockets: &mut listenfd::ListenFd, index: usize) -> Option<TcpListener> {
    let listener = sockets.take_tcp_listener(index).ok()??;
    let is_listening = socket2::SockRef::from(&listener).is_listener().ok()?;
    listener.set_nonblocking(true).ok()?;
    is_listening.then_some(listener)
}

/// Only systemd passes any.
#[cfg(not(target_os = "linux"))]
fn listeners(_: usize, _: &str) -> Result<Vec<TcpListener>, InheritError> {
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_for_the_process_that_is_named() {
        let count = |pid: Option<&str>, fds: Option<&str>| count(pid.map(Into::into), fds.map(Into::into), 7);
        assert_eq!(count(Some("7"), Some("2")), Ok(2));
        assert_eq!(count(Some("7"), Some("0")), Ok(0));
        for others in [None, Some("8"), Some(""), Some("07")] {
            assert_eq!(count(others, Some("2")), Ok(0), "{others:?}");
        }
        assert_eq!(count(Some("7"), None), Ok(0));
    }

    #[test]
    fn a_count_that_there_cannot_be_is_an_error() {
        for wrong in ["", "-1", "two", "17", "99999999999999999999"] {
            let counted = count(Some("7".into()), Some(wrong.into()), 7);
            assert_eq!(counted, Err(InheritError::Count(wrong.into())));
        }
    }

    #[tokio::test]
    async fn a_listener_takes_the_socket_at_its_address_once() {
        let opened = TcpListener::bind("127.0.0.1:0").unwrap();
        opened.set_nonblocking(true).unwrap();
        let address = opened.local_addr().unwrap();
        inherited().push(opened);
        let bound = crate::listener::Listener::bind(address, "the test").await.unwrap();
        assert_eq!(bound.local_addr().unwrap(), address);
        assert!(crate::listener::Listener::bind(address, "the test").await.is_err());
        drop(bound);
        assert!(take(&[address]).is_none());
    }
}
