use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
};

use actr_lite_wire::{
    acl::Acl,
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    proto::{
        self, ErrorResponse, RegisterAuthMode, RegisterRequest, RegisterResponse, RenewCredentialRequest,
        register_response,
    },
};
use thiserror::Error;
use tracing::{debug, info};

use crate::{
    audit::{Description, Event, Registered},
    directory::{DirectoryError, Registration},
    realms::{RealmRefusal, Realms, SecretDigest},
    shared::Shared,
    source::Source,
};

/// The most bytes of a data lane's address: what browsers and proxies commonly take as a URL.
const MAX_WS_ADDRESS_LEN: usize = 2048;

/// The code of a refused renewal. An official node (actr 0.4.21) reads the code of this one answer as an HTTP status,
/// and registers again on 401 only.
const RENEWAL_REFUSED: ErrorCode = ErrorCode::Other(401);

/// The most rules of an access list, contracts and tags of one registration: a handful is usual, and what is short on the
/// wire takes many times as much in memory.
const MAX_LISTED: usize = 1024;

/// Why a registration is refused: the request is well-formed but asks for something that is not possible.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The type is not one.
    #[error("actr_type: {0}")]
    Type(#[from] actr_lite_wire::identity::ParseActrTypeError),
    /// The id, of a renewal, is not one.
    #[error("actr_id: {0}")]
    Id(#[from] actr_lite_wire::identity::ParseActrIdError),
    /// The data lane's address is none that anybody could dial.
    #[error("ws_address must begin with ws:// or wss:// and have at most {MAX_WS_ADDRESS_LEN} bytes, without spaces")]
    WsAddress,
    /// One of its lists is too long.
    #[error("{what} has more than {MAX_LISTED} entries, which is the limit")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
    },
    /// The node wants to register with a signed package.
    #[error("this registry does not verify packages: register with auth_mode 2 (linked)")]
    AuthMode,
}

impl RequestError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::AuthMode => ErrorCode::NotImplemented,
            _ => ErrorCode::InvalidArgument,
        }
    }
}

/// Answers `POST /ais/register`; `secret` is what it shows for its realm.
pub(crate) fn register(
    shared: &Shared,
    peer: SocketAddr,
    secret: Option<&[u8]>,
    request: RegisterRequest,
) -> RegisterResponse {
    let realm_id = request.realm.realm_id;
    let actr_type = shared.audit.is_on().then(|| type_text(&request.actr_type));
    let refuse = |code, reason: &dyn Display| {
        let event = Event::RegistrationRefused {
            address: peer,
            realm_id,
            actr_type: actr_type.clone().unwrap_or_default(),
            code,
            reason: PeerText::of(reason),
        };
        shared.audit.note_refusal(Source::of(peer.ip()), &event);
        refused(code, reason)
    };
    if let Err(error) = admit(shared, peer, realm_id, secret) {
        complain(shared, peer, &error);
        return refuse(error.code(), &error);
    }
    let registration = match Registration::try_from(request) {
        Ok(registration) => registration,
        Err(error) => {
            complain(shared, peer, &error);
            return refuse(error.code(), &error);
        }
    };
    let unix_now = shared.clock.unix_seconds();
    let token = shared.authority.renewal_token(unix_now);
    let now = shared.clock.now();
    let description = shared.audit.is_on().then(|| Description::from(&registration));
    let registered = shared.state().directory.register(registration, token.clone(), now);
    match registered {
        Ok(id) => {
            info!(%id, "registered");
            if let Some(description) = description {
                let registered = Registered {
                    id: id.clone(),
                    actr_type: id.actr_type().clone(),
                    realm_id,
                    address: peer,
                    description,
                };
                // In an open realm nobody has to show one.
                let secret = secret.filter(|_| shared.options.realms != Realms::Open);
                shared
                    .audit
                    .note_registration(&registered, secret.map(SecretDigest::of));
            }
            shared.authority.grant(&id, &token, unix_now)
        }
        Err(error) => {
            debug!(%error, "registration refused");
            refuse(error.code(), &error)
        }
    }
}

/// Whether the node at `peer` belongs to the realm that it names.
fn admit(shared: &Shared, peer: SocketAddr, realm_id: u32, secret: Option<&[u8]>) -> Result<(), AdmissionError> {
    let (now, address) = (shared.clock.now(), peer.ip());
    let realms = &shared.options.realms;
    if !realms.can_be_guessed(realm_id) {
        return Ok(realms.admit(realm_id, secret)?);
    }
    let heard = shared.state().realm_failures.check(address, realm_id, now);
    heard.map_err(|wait| AdmissionError::TooManyFailures {
        address,
        realm_id,
        seconds: wait.as_secs() + 1,
    })?;
    let admitted = realms.admit(realm_id, secret);
    if let (Err(RealmRefusal::Wrong(_)), Some(shown)) = (&admitted, secret) {
        let shown = SecretDigest::of(shown);
        shared.state().realm_failures.failed(address, realm_id, shown, now);
    }
    Ok(admitted?)
}

/// Why a node is not let into its realm.
#[derive(Debug, Error)]
enum AdmissionError {
    /// A client at this address may be guessing.
    #[error("too many wrong secrets of realm {realm_id} came from {address}: try again in {seconds} s")]
    TooManyFailures {
        address: IpAddr,
        realm_id: u32,
        seconds: u64,
    },
    #[error(transparent)]
    Realm(#[from] RealmRefusal),
}

impl AdmissionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooManyFailures { .. } => ErrorCode::Unavailable,
            Self::Realm(_) => ErrorCode::PermissionDenied,
        }
    }
}

/// Answers `POST /ais/renew`.
pub(crate) fn renew(shared: &Shared, peer: SocketAddr, request: &RenewCredentialRequest) -> RegisterResponse {
    let note_renewal = |id: PeerText, reason: &dyn Display| {
        let event = Event::RenewalRefused {
            address: peer,
            id,
            reason: PeerText::of(reason),
        };
        shared.audit.note_refusal(Source::of(peer.ip()), &event);
    };
    let id = match ActrId::try_from(&request.actr_id) {
        Ok(id) => id,
        Err(error) => {
            let error = RequestError::from(error);
            complain(shared, peer, &error);
            note_renewal(PeerText::default(), &error);
            return refused(error.code(), &error);
        }
    };
    let unix_now = shared.clock.unix_seconds();
    let token = shared.authority.renewal_token(unix_now);
    let now = shared.clock.now();
    let renewed = shared
        .state()
        .directory
        .renew(&id, &request.renewal_token, token.clone(), now, unix_now);
    match renewed {
        Ok(()) => {
            debug!(%id, "credential renewed");
            shared.authority.grant(&id, &token, unix_now)
        }
        Err(error) => {
            // A node that this registry has forgotten does no wrong.
            if matches!(error, DirectoryError::RenewalToken(_)) {
                complain(shared, peer, &error);
            } else {
                debug!(%error, "renewal refused");
            }
            note_renewal(PeerText::of(&id), &error);
            let code = match error {
                DirectoryError::UnknownNode(_) | DirectoryError::RenewalToken(_) => RENEWAL_REFUSED,
                _ => error.code(),
            };
            refused(code, &error)
        }
    }
}

fn complain(shared: &Shared, peer: SocketAddr, reason: &dyn Display) {
    let kind = MisbehaviourKind::RefusedRequest;
    shared.complaints.about(kind, &peer, reason);
}

impl TryFrom<RegisterRequest> for Registration {
    type Error = RequestError;

    fn try_from(request: RegisterRequest) -> Result<Self, RequestError> {
        if request.auth_mode == Some(RegisterAuthMode::Package as i32) {
            return Err(RequestError::AuthMode);
        }
        if !request.ws_address.as_deref().is_none_or(is_ws_address) {
            return Err(RequestError::WsAddress);
        }
        let spec = request.service_spec.as_ref();
        for (what, count) in [
            ("acl", request.acl.as_ref().map_or(0, |acl| acl.rules.len())),
            ("service_spec.protobufs", spec.map_or(0, |spec| spec.protobufs.len())),
            ("service_spec.tags", spec.map_or(0, |spec| spec.tags.len())),
        ] {
            if count > MAX_LISTED {
                return Err(RequestError::TooMany { what });
            }
        }
        let is_hidden = request.hidden();
        Ok(Self {
            actr_type: ActrType::try_from(&request.actr_type)?,
            realm_id: request.realm.realm_id,
            service_spec: request.service_spec,
            acl: request.acl.as_ref().map(Acl::try_from).transpose()?,
            ws_address: request.ws_address,
            is_hidden,
        })
    }
}

/// Whether it looks like an address at all; only dialling it can tell more.
fn is_ws_address(text: &str) -> bool {
    let host = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://"));
    text.len() <= MAX_WS_ADDRESS_LEN
        && host.is_some_and(|host| !host.is_empty())
        && text
            .chars()
            .all(|character| !character.is_whitespace() && !character.is_control())
}

/// A type as somebody wrote it, which may be none.
fn type_text(actr_type: &proto::ActrType) -> PeerText {
    let proto::ActrType {
        manufacturer,
        name,
        version,
    } = actr_type;
    PeerText::of(&format_args!("{manufacturer}:{name}:{version}"))
}

fn refused(code: ErrorCode, reason: &dyn Display) -> RegisterResponse {
    let error = ErrorResponse {
        code: code.number(),
        message: reason.to_string(),
    };
    RegisterResponse {
        result: Some(register_response::Result::Error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_nobody_could_dial_is_refused() {
        for address in ["ws://127.0.0.1:9", "wss://host/path"] {
            assert!(is_ws_address(address), "{address}");
        }
        let long = format!("ws://{}", "a".repeat(MAX_WS_ADDRESS_LEN));
        for address in ["", "ws://", "http://host", "ws://a b", "ws://a\n", long.as_str()] {
            assert!(!is_ws_address(address), "{address}");
        }
    }
}
