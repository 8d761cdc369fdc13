//! Whether a request may be answered, by what it says about where it was sent and from which page.

use actr_lite_tls::ServerTls;
use actr_lite_wire::host_policy::{Addressed, HostPolicy, HostRefusal};
use hyper::{
    Request,
    header::{HOST, ORIGIN},
    http::uri::Authority,
};

/// Checks the target, `Host` and every `Origin` of a request. With `tls`, the names of its certificate are the listener's
/// own.
///
/// # Errors
/// Why the request is not to be answered.
pub fn check_host<B>(policy: &HostPolicy, tls: Option<&ServerTls>, request: &Request<B>) -> Result<(), HostRefusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let addressed = Addressed {
        target: request.uri().authority().map(Authority::as_str).map(str::as_bytes),
        host: hosts.next().map(|host| host.as_bytes()),
        has_several_hosts: hosts.next().is_some(),
        origin: None,
    };
    let is_certified = |host: &str| tls.is_some_and(|tls| tls.is_for(host));
    policy.check(addressed, is_certified)?;
    for origin in request.headers().get_all(ORIGIN) {
        let origin = Some(origin.as_bytes());
        policy.check(Addressed { origin, ..addressed }, is_certified)?;
    }
    Ok(())
}
