use std::sync::Arc;

use actr_lite_admin::token::Token;
use actr_lite_manifest::Problems;
use actr_lite_net::{ClearText, exposure::Exposure};
use actr_lite_tls::Tls;
use actr_lite_wire::realm_secret::RealmSecret;

use crate::{
    actor::{router::Router, service::Service},
    contracts::locked_contracts::LockedContracts,
    node::{
        hosted_registry::RegistryPlace, reach, remedies::REMEDIES, start_error::StartError, surface, system::ActrSystem,
    },
    settings::{
        clear_text, realm_secret, tls,
        webrtc::{self, WebRtc},
    },
};

/// What a node has taken from its configuration, its files and its environment before it listens: everything that can be
/// wrong with them is known then.
pub(crate) struct Preparation {
    pub(crate) contracts: LockedContracts,
    pub(crate) router: Router,
    pub(crate) tls: Tls,
    pub(crate) realm_secret: Option<RealmSecret>,
    pub(crate) clear_text: ClearText,
    pub(crate) webrtc: WebRtc,
    /// What those have to show who ask how the node is.
    pub(crate) admin_token: Option<Token>,
    pub(crate) registry: RegistryPlace,
}

type Checked<T> = Result<T, Problems<StartError>>;

/// One problem at most, as one of several.
fn checked<T, E: Into<StartError>>(result: Result<T, E>) -> Checked<T> {
    result.map_err(|error| Problems::from(error.into()))
}

/// Several problems, as some among others.
fn all_checked<T, E: Into<StartError>>(result: Result<T, Problems<E>>) -> Checked<T> {
    result.map_err(|problems| problems.map(E::into))
}

impl Preparation {
    /// Reads and checks everything. It listens nowhere, connects to nobody and writes nothing.
    pub(crate) fn of(system: &ActrSystem, services: Vec<Arc<dyn Service>>) -> Checked<Self> {
        let manifest = system.manifest();
        let tls = tls::load(&manifest.system.tls);
        let realm_secret = realm_secret::load(&manifest.system);
        let clear_text = clear_text::of(&manifest.system);
        let exposed = check_exposure(system, realm_secret.as_ref().ok());
        let lane = check_lane(system, tls.as_ref().ok(), clear_text.as_ref().ok());
        let admin_token = surface::token(&manifest.system);
        let known_token = admin_token.as_ref().ok().map(Option::as_ref);
        let surface = known_token.map_or(Ok(()), |token| surface::check(&manifest.system, token.is_some()));
        let known_secret = realm_secret.as_ref().ok().map(Option::as_ref);
        let registry = all_checked(RegistryPlace::of(
            manifest,
            tls.as_ref().ok(),
            known_secret,
            known_token,
        ));
        // In the order in which they are told.
        let both = checked(system.contracts());
        let both = Problems::both(both, all_checked(Router::new(services, manifest)));
        let both = Problems::both(both, all_checked(tls));
        let both = Problems::both(both, checked(realm_secret));
        let both = Problems::both(both, checked(clear_text));
        let both = Problems::both(both, checked(webrtc::load(&manifest.system)));
        let both = Problems::both(both, exposed);
        let both = Problems::both(both, checked(admin_token));
        let both = Problems::both(both, checked(surface));
        let both = Problems::both(both, registry);
        let both = Problems::both(both, lane)?;
        let ((((((both, webrtc), ()), admin_token), ()), registry), ()) = both;
        let ((((contracts, router), tls), realm_secret), clear_text) = both;
        Ok(Self {
            contracts,
            router,
            tls,
            realm_secret,
            clear_text,
            webrtc,
            admin_token,
            registry,
        })
    }
}

/// Whether others may reach the data lane as it is. A secret that can't be read is `None`: it is told elsewhere.
fn check_exposure(system: &ActrSystem, realm_secret: Option<&Option<RealmSecret>>) -> Checked<()> {
    let settings = &system.manifest().system;
    if !settings.discovery.visible {
        return Ok(());
    }
    let exposure = Exposure {
        what: "the data lane",
        address: settings.websocket.listen,
        has_tls: settings.tls.identity.is_some(),
        secret: "a realm secret",
        has_secret: realm_secret.is_none_or(Option::is_some),
        remedies: REMEDIES,
    };
    checked(exposure.check(settings.insecure))
}

/// Whether those who are told of the data lane get there. What can't be read is `None`: what depends on it is not looked at.
fn check_lane(system: &ActrSystem, tls: Option<&Tls>, clear_text: Option<&ClearText>) -> Checked<()> {
    let settings = &system.manifest().system;
    // A node that nobody is to discover is not dialled either.
    let (Some(tls), true) = (tls, settings.discovery.visible) else {
        return Ok(());
    };
    let in_clear = clear_text.map(|clear_text| clear_text::check_lane(*clear_text, &settings.websocket, tls));
    let certificate = checked(reach::check_certificate(&settings.websocket, tls));
    Problems::both(checked(in_clear.transpose()), certificate).map(drop)
}
