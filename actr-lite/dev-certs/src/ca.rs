use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use thiserror::Error;

/// How long a certificate is valid by default: long enough for development, and short enough that nobody relies on it
/// for years.
pub const VALIDITY: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How far before now a certificate becomes valid, so that machines whose clocks differ can use it at once.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// A CA. Its key exists only in this value.
pub struct DevCa {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate ends with those that it signs, or after them.
    not_after: SystemTime,
}

/// A certificate and its key, as PEM.
pub struct DevCert {
    /// The certificate.
    pub cert_pem: String,
    /// The private key.
    pub key_pem: String,
}

/// Why there is no certificate.
#[derive(Debug, Error)]
#[error("{what} cannot be made: {cause}")]
pub struct DevCertError {
    what: String,
    cause: rcgen::Error,
}

impl DevCa {
    /// A new CA, with a name of its own: two of them can be distinguished.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self, DevCertError> {
        let failed = |cause| DevCertError {
            what: "the CA".into(),
            cause,
        };
        let not_after = SystemTime::now() + VALIDITY;
        let mut params = CertificateParams::default();
        let name = format!("actr-lite development CA {:016x}", rand::random::<u64>());
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = (SystemTime::now() - CLOCK_DIFFERENCE).into();
        params.not_after = not_after.into();
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(failed)?;
        Ok(Self { issuer, not_after })
    }

    /// Its certificate as PEM, for those who trust it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a server with these names and IP addresses, valid from now on as long as the CA's own.
    ///
    /// # Errors
    /// When one of the names is none.
    pub fn issue<H: AsRef<str>>(&self, hosts: impl IntoIterator<Item = H>) -> Result<DevCert, DevCertError> {
        self.issue_until(hosts, self.not_after)
    }

    /// The same, valid until another time, which may be over.
    ///
    /// # Errors
    /// When one of the names is none.
    pub fn issue_until<H: AsRef<str>>(
        &self,
        hosts: impl IntoIterator<Item = H>,
        not_after: SystemTime,
    ) -> Result<DevCert, DevCertError> {
        let hosts: Vec<String> = hosts.into_iter().map(|host| host.as_ref().to_owned()).collect();
        let what = format!("a certificate for {}", hosts.join(", "));
        let failed = |cause| DevCertError {
            what: what.clone(),
            cause,
        };
        let mut params = CertificateParams::new(hosts).map_err(failed)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "actr-lite development certificate");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = (SystemTime::now().min(not_after) - CLOCK_DIFFERENCE).into();
        params.not_after = not_after.into();
        let key = KeyPair::generate().map_err(failed)?;
        let cert = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(DevCert {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}
