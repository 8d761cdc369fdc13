use std::{fmt, io, net::SocketAddr, time::Duration};

use actr_lite_tls::HandshakeError;
use thiserror::Error;

/// Why a dial came to nothing: the step, where, after how long, and the cause. It may quote the peer's certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address.
    #[error("resolving {host} failed after {:.1} s: {}", after.as_secs_f64(), Cause(cause))]
    Resolve {
        /// The name.
        host: String,
        /// How long it took.
        after: Duration,
        /// What the system says.
        cause: io::Error,
    },
    /// The name servers don't answer.
    #[error(
        "resolving {host} took longer than {} s: check the name, and the name servers of this machine",
        after.as_secs()
    )]
    ResolveTimeout {
        /// The name.
        host: String,
        /// How long they had.
        after: Duration,
    },
    /// None of the addresses takes a connection.
    #[error("connecting to {}", Attempts(_0))]
    Connect(Vec<FailedAttempt>),
    /// There is no TLS with whoever took the connection.
    #[error("the TLS handshake with {address} failed after {:.1} s: {cause}", after.as_secs_f64())]
    Tls {
        /// Who took the connection.
        address: SocketAddr,
        /// How long it took.
        after: Duration,
        /// What is wrong.
        cause: Box<HandshakeError>,
    },
    /// Whoever took the connection does not go on with TLS.
    #[error("the TLS handshake with {address} took longer than {} s", after.as_secs())]
    TlsTimeout {
        /// Who took the connection.
        address: SocketAddr,
        /// How long it had.
        after: Duration,
    },
    /// Others could read what is sent.
    #[error(
        "nothing is sent to {address} without TLS, as others could use this node's credential: write wss:// in the URL, \
         which needs a certificate there; or, where the network itself is trusted, add insecure = true to [system]"
    )]
    InClear {
        /// Who took the connection.
        address: SocketAddr,
    },
    /// The connection is gone already.
    #[error("the connection was lost at once: {}", Cause(_0))]
    Lost(io::Error),
}

impl DialError {
    /// Whether the next dial would fail too, until somebody changes something: the certificate does not fit, say.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Tls { cause, .. } => cause.is_final(),
            Self::InClear { .. } => true,
            _ => false,
        }
    }
}

/// An address that takes no connection.
#[derive(Debug)]
pub struct FailedAttempt {
    /// Which.
    pub address: SocketAddr,
    /// How long it was tried.
    pub after: Duration,
    /// What the system says; nothing if nobody answered in time.
    pub cause: Option<io::Error>,
}

struct Attempts<'a>(&'a [FailedAttempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, FailedAttempt { address, after, cause }) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; to " };
            let seconds = after.as_secs_f64();
            match cause {
                Some(cause) => write!(f, "{separator}{address} failed after {seconds:.1} s: {}", Cause(cause))?,
                None => write!(f, "{separator}{address} failed: no answer within {seconds:.1} s")?,
            }
        }
        Ok(())
    }
}

/// An error of the system in the words that say it best.
struct Cause<'a>(&'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Where a kind says it all, the operating system's number only distracts.
        match self.0.kind() {
            kind @ (io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::TimedOut) => kind.fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_named_with_its_own_failure() {
        let error = DialError::Connect(vec![
            FailedAttempt {
                address: "[2001:db8::2]:80".parse().unwrap(),
                after: Duration::from_secs(3),
                cause: None,
            },
            FailedAttempt {
                address: "127.0.0.1:80".parse().unwrap(),
                after: Duration::from_millis(40),
                cause: Some(io::ErrorKind::ConnectionRefused.into()),
            },
        ]);
        assert_eq!(
            error.to_string(),
            "connecting to [2001:db8::2]:80 failed: no answer within 3.0 s; to 127.0.0.1:80 failed after 0.0 s: \
             connection refused"
        );
    }
}
