//! What the arguments say, with the files that they name.

use std::time::SystemTime;

use actr_lite_registry::{Options, check::check_address};
use actr_lite_tls::ServerTls;
use anyhow::anyhow;

use crate::arguments::{ADMIN_REMEDIES, Arguments, REMEDIES};

/// What a registry needs to listen.
pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) options: Options,
}

impl Settings {
    /// Reads and checks everything. It listens nowhere and writes nothing.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn of(arguments: Arguments) -> Result<Self, Vec<anyhow::Error>> {
        let has_tls = arguments.tls.is_set();
        let mut problems = Vec::new();
        let tls = arguments
            .tls
            .load()
            .map_err(|errors| problems.extend(errors))
            .unwrap_or_default();
        let address = check_address(&arguments.listen).map_err(|error| problems.push(error.into()));
        let realms = arguments.trust.realms().map_err(|error| problems.push(error));
        let are_realms_known = realms.is_ok();
        problems.extend(arguments.trust.check_lifetimes().err());
        let admin_token = arguments.trust.admin_token().map_err(|error| problems.push(error));
        let is_token_known = admin_token.is_ok();
        let turn_relays = arguments.trust.turn_relays().map_err(|error| problems.push(error));
        let options = Options {
            insecure: arguments.insecure,
            realms: realms.unwrap_or_default(),
            admin_token: admin_token.unwrap_or_default(),
            turn_relays: turn_relays.unwrap_or_default(),
            ..arguments.trust.options(&arguments.limits)
        };
        problems.extend(options.check_files().into_iter().map(Into::into));
        if let Ok(Some(address)) = address {
            let exposed = are_realms_known.then(|| options.check_exposure(address, has_tls, REMEDIES));
            problems.extend(exposed.and_then(Result::err).map(Into::into));
            let shown = is_token_known.then(|| options.check_admin_exposure(address, has_tls, ADMIN_REMEDIES));
            problems.extend(shown.and_then(Result::err).map(Into::into));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            listen: arguments.listen,
            tls,
            options,
        })
    }

    /// The same, with what is wrong only at this moment.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(crate) fn check(arguments: Arguments) -> Result<(), Vec<anyhow::Error>> {
        let cert = arguments.tls.cert_path();
        let settings = Self::of(arguments)?;
        match settings.tls.map(|tls| tls.check_validity(SystemTime::now())) {
            Some(Err(error)) => Err(vec![anyhow!(error).context(cert)]),
            _ => Ok(()),
        }
    }

    /// The same as [`Self::of`], with the first of the errors.
    ///
    /// # Errors
    /// When something is wrong.
    pub(crate) fn or_first_error(arguments: Arguments) -> anyhow::Result<Self> {
        Self::of(arguments).map_err(|errors| {
            let first = errors.into_iter().next();
            first.unwrap_or_else(|| anyhow!("the arguments are not valid"))
        })
    }
}
