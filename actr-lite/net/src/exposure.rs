//! What other machines may reach: nothing by accident.

use std::net::SocketAddr;

use thiserror::Error;

/// A listener, and what protects it.
#[derive(Debug, Clone, Copy)]
pub struct Exposure {
    /// What it is called.
    pub what: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it accepts only TLS.
    pub has_tls: bool,
    /// What those who are served there have to show: "a realm secret".
    pub secret: &'static str,
    /// Whether they have to show it.
    pub has_secret: bool,
    /// How to have what is missing.
    pub remedies: Remedies,
}

/// What a user is told to do, with the keys of the program's own configuration.
#[derive(Debug, Clone, Copy)]
pub struct Remedies {
    /// To have TLS.
    pub tls: &'static str,
    /// To have a secret.
    pub secret: &'static str,
    /// To do without.
    pub insecure: &'static str,
}

/// A listener would be reached by others without what protects it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{what} is not to listen on {address}, which other machines may reach, without {missing}: {remedy}; or listen on \
     127.0.0.1; or, where the network itself is trusted, {insecure}"
)]
pub struct ExposureError {
    what: &'static str,
    address: SocketAddr,
    missing: String,
    remedy: String,
    insecure: &'static str,
}

impl Exposure {
    /// Whether it may serve: from this machine anybody is served, from others only with TLS and a secret, unless
    /// that is switched off (`is_insecure`).
    ///
    /// # Errors
    /// When it lacks one of them; the error says which and what to do.
    pub fn check(self, is_insecure: bool) -> Result<(), ExposureError> {
        if is_insecure || self.address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        let Remedies { tls, secret, insecure } = self.remedies;
        let name = self.secret;
        let (missing, remedy) = match (self.has_tls, self.has_secret) {
            (true, true) => return Ok(()),
            (false, true) => ("TLS".to_owned(), tls.to_owned()),
            (true, false) => (name.to_owned(), secret.to_owned()),
            (false, false) => (format!("TLS and {name}"), format!("{tls}, and {secret}")),
        };
        Err(ExposureError {
            what: self.what,
            address: self.address,
            missing,
            remedy,
            insecure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, has_tls: bool, has_secret: bool, is_insecure: bool) -> Result<(), String> {
        let exposure = Exposure {
            what: "the door",
            address: address.parse().unwrap(),
            has_tls,
            secret: "a realm secret",
            has_secret,
            remedies: Remedies {
                tls: "lock it",
                secret: "hide the key",
                insecure: "leave it open",
            },
        };
        exposure.check(is_insecure).map_err(|error| error.to_string())
    }

    #[test]
    fn beyond_this_machine_both_are_needed() {
        for address in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1"] {
            assert_eq!(check(address, true, true, false), Ok(()));
            assert_eq!(check(address, false, false, true), Ok(()));
            for (has_tls, has_secret, words) in [
                (false, true, "without TLS: lock it; or listen"),
                (true, false, "without a realm secret: hide the key; or listen"),
                (
                    false,
                    false,
                    "without TLS and a realm secret: lock it, and hide the key; or listen",
                ),
            ] {
                let error = check(address, has_tls, has_secret, false).unwrap_err();
                assert!(error.contains(words) && error.contains(address), "{error}");
                assert!(error.ends_with("leave it open"), "{error}");
            }
        }
    }

    #[test]
    fn on_this_machine_none_is() {
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(check(address, false, false, false), Ok(()), "{address}");
        }
    }
}
