//! A CA and certificates for development and tests: only programs that name the CA trust them.
//!
//! - [`DevCa`]: makes certificates; its key is gone when it is dropped
//! - [`DevCert`]: a certificate and its key
//! - [`write()`]: puts them into files, for `[system.tls]` of Actr.toml

mod ca;
mod files;

pub use ca::{DevCa, DevCert, DevCertError, VALIDITY};
pub use files::{CA_FILE, CERT_FILE, DevCertFiles, KEY_FILE, WriteError, write};

/// The names that a certificate is for by default: this machine, as it calls itself.
pub const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
