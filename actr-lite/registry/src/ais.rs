use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
};

use actr_lite_net::complaints::Subject;
use actr_lite_net::source::Source;
use actr_lite_wire::{
    acl::Acl,
    error_code::ErrorCode,
    identity::ActrType,
    misbehaviour::MisbehaviourKind,
    peer_text::PeerText,
    possession::{HolderKey, HolderKeyError},
    proto::{
        self, ErrorResponse, RegisterAuthMode, RegisterRequest, RegisterResponse, register_response,
        register_response::RegisterOk,
    },
};
use thiserror::Error;
use tracing::{debug, info};

use crate::{
    audit::{Description, Event, Registered},
    authority::Authority,
    directory::{AccessList, Contract, DirectoryError, Registration},
    lane_address::{self, LaneAddress, MAX_WS_ADDRESS_LEN, WithheldAddress},
    origin::Origin,
    realms::{RealmRefusal, SecretDigest, SecretNumber},
    shared::Shared,
};

/// The most bytes of a contract's fingerprint: it has 81, and an answer repeats those of all its candidates.
const MAX_FINGERPRINT_LEN: usize = 256;

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
    /// The key that its credentials are to name is not one.
    #[error("holder_key: {0}")]
    HolderKey(#[from] HolderKeyError),
    /// The data lane's address is none that anybody could dial.
    #[error("ws_address must begin with ws:// or wss:// and have at most {MAX_WS_ADDRESS_LEN} bytes, without spaces")]
    WsAddress,
    /// The contract's fingerprint is longer than one is.
    #[error("service_spec.fingerprint has more than {MAX_FINGERPRINT_LEN} bytes, which is the limit")]
    Fingerprint,
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
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::AuthMode => ErrorCode::NotImplemented,
            _ => ErrorCode::InvalidArgument,
        }
    }
}

/// Answers `POST /ais/register`; `secret` is what it shows for its realm.
pub(crate) fn register(
    shared: &Shared,
    origin: &Origin,
    secret: Option<&[u8]>,
    request: RegisterRequest,
) -> RegisterResponse {
    let (peer, realm_id) = (origin.address, request.realm.realm_id);
    let actr_type = type_text(&request.actr_type);
    let refuse = |code, reason: &dyn Display| {
        let event = Event::RegistrationRefused {
            address: peer,
            realm_id: Some(realm_id),
            actr_type: actr_type.clone(),
            code,
            reason: PeerText::of(reason),
        };
        shared.journal.refused(Source::of(peer.ip()), &event);
        refused(code, reason)
    };
    let admitted_with = match admit(shared, peer, realm_id, secret) {
        Ok(number) => number,
        Err(error) => {
            complain(shared, peer, &error);
            return refuse(error.code(), &error);
        }
    };
    let mut registration = match Registration::try_from(request) {
        Ok(registration) => Registration {
            secret: admitted_with,
            ..registration
        },
        Err(error) => {
            complain(shared, peer, &error);
            return refuse(error.code(), &error);
        }
    };
    let realms = &shared.options.realms;
    if let Err(error) = realms.check_type(realm_id, admitted_with, &registration.actr_type) {
        complain(shared, peer, &error);
        return refuse(ErrorCode::PermissionDenied, &error);
    }
    let withheld = withhold_address(shared, origin, &mut registration);
    let holder = registration.holder_key.clone();
    let description = Description::from(&registration);
    let (now, unix_now) = (shared.clock.now(), shared.clock.unix_seconds());
    let (from, key) = (Source::of(peer.ip()), Authority::renewal_key());
    let (contest, registered) = {
        let directory = &mut shared.state().directory;
        let contest = directory.contest(&registration, now);
        (contest, directory.register(registration, from, key, now, unix_now))
    };
    match registered {
        Ok((id, grant)) => {
            info!(%id, "registered");
            if let Some(rival) = contest.rival {
                let line = format_args!("contested type from {peer}: {id} {rival}");
                shared.complaints.remark(Subject::of(&peer).because(&rival), &line);
            }
            let registered = Registered {
                id: id.clone(),
                actr_type: id.actr_type().clone(),
                realm_id,
                address: peer,
                description,
            };
            shared.journal.registered(&registered, contest.taken_from.as_deref());
            success(RegisterOk {
                withheld_address: withheld.map(|withheld| withheld.to_string()),
                ..shared.authority.granted(&id, holder.as_ref(), &grant)
            })
        }
        Err(error) => {
            debug!(reason = %error, "registration refused");
            if let DirectoryError::Full(reached) = &error {
                shared.journal.limit_reached(reached);
            }
            refuse(error.code(), &error)
        }
    }
}

/// Takes an address out of a registration that nobody is to be told. The node may be reached over WebRTC all the same.
fn withhold_address(shared: &Shared, origin: &Origin, registration: &mut Registration) -> Option<WithheldAddress> {
    if shared.options.insecure {
        return None;
    }
    let withheld = lane_address::check(registration.ws_address.as_deref()?, origin).err()?;
    registration.ws_address = None;
    let subject = Subject::of(&origin.address).because(&withheld);
    let line = format_args!("{}: {withheld}", origin.address);
    shared.complaints.remark(subject, &line);
    Some(withheld)
}

/// The refusal for whoever shows a secret that opens no realm: so much can be said before it is known which one it is for.
pub(crate) fn refuse_stranger(shared: &Shared, peer: SocketAddr, secret: Option<&[u8]>) -> Option<RegisterResponse> {
    let error = AdmissionError::from(shared.options.realms.recognize(secret).err()?);
    complain(shared, peer, &error);
    let event = Event::RegistrationRefused {
        address: peer,
        realm_id: None,
        actr_type: PeerText::default(),
        code: error.code(),
        reason: PeerText::of(&error),
    };
    shared.journal.refused(Source::of(peer.ip()), &event);
    Some(refused(error.code(), &error))
}

/// Whether the node at `peer` belongs to the realm that it names: with which of its secrets, if it has any.
pub(crate) fn admit(
    shared: &Shared,
    peer: SocketAddr,
    realm_id: u32,
    secret: Option<&[u8]>,
) -> Result<Option<SecretNumber>, AdmissionError> {
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
pub(crate) enum AdmissionError {
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
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::TooManyFailures { .. } => ErrorCode::Unavailable,
            Self::Realm(_) => ErrorCode::PermissionDenied,
        }
    }
}

pub(crate) fn complain(shared: &Shared, peer: SocketAddr, reason: &dyn Display) {
    let kind = MisbehaviourKind::RefusedRequest;
    shared.complaints.about(kind, &peer, reason);
}

impl TryFrom<RegisterRequest> for Registration {
    type Error = RequestError;

    fn try_from(request: RegisterRequest) -> Result<Self, RequestError> {
        if request.auth_mode == Some(RegisterAuthMode::Package as i32) {
            return Err(RequestError::AuthMode);
        }
        if let Some(address) = &request.ws_address
            && LaneAddress::parse(address).is_none()
        {
            return Err(RequestError::WsAddress);
        }
        let spec = request.service_spec.as_ref();
        if spec.is_some_and(|spec| spec.fingerprint.len() > MAX_FINGERPRINT_LEN) {
            return Err(RequestError::Fingerprint);
        }
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
        let acl = request.acl.as_ref().map(Acl::try_from).transpose()?;
        let holder_key = request.holder_key.as_deref().map(HolderKey::from_bytes).transpose()?;
        Ok(Self {
            actr_type: ActrType::try_from(&request.actr_type)?,
            realm_id: request.realm.realm_id,
            contract: request.service_spec.as_ref().map(Contract::from),
            acl: acl.as_ref().map(AccessList::from),
            ws_address: request.ws_address.map(Into::into),
            is_hidden,
            secret: None,
            holder_key,
        })
    }
}

pub(crate) fn success(granted: RegisterOk) -> RegisterResponse {
    RegisterResponse {
        result: Some(register_response::Result::Success(granted)),
    }
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

pub(crate) fn refused(code: ErrorCode, reason: &dyn Display) -> RegisterResponse {
    let error = ErrorResponse {
        code: code.number(),
        message: reason.to_string(),
    };
    RegisterResponse {
        result: Some(register_response::Result::Error(error)),
    }
}
