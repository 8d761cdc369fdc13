//! What a node shows of itself to get its next credential: its renewal token, or that and a registration.

use std::net::SocketAddr;

use actr_lite_net::source::Source;
use actr_lite_wire::{
    error_code::ErrorCode,
    identity::ActrId,
    peer_text::PeerText,
    possession::{Audience, HolderKey},
    proto::{self, RegisterRequest, RegisterResponse, RenewCredentialRequest},
};
use bytes::Bytes;
use hyper::header::HeaderValue;
use thiserror::Error;
use tracing::debug;

use crate::{
    ais::{self, AdmissionError, RequestError, complain, refused, success},
    audit::Event,
    directory::{DirectoryError, Purpose, Registration, ShownToken},
    possession::{PossessionError, Shown},
    realms::RealmRefusal,
    sessions::Notice,
    shared::Shared,
};

/// The code of a refused renewal. An official node (actr 0.4.21) reads the code of this one answer as an HTTP status,
/// and registers again on 401 only.
const RENEWAL_REFUSED: ErrorCode = ErrorCode::Other(401);

/// Why a node gets no credential.
#[derive(Debug, Error)]
enum RenewalError {
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error(transparent)]
    Realm(#[from] RealmRefusal),
    #[error("registration: it is that of another type, realm or key than {0} has")]
    OtherNode(ActrId),
    #[error(transparent)]
    Possession(#[from] PossessionError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl RenewalError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Request(error) => error.code(),
            Self::Admission(error) => error.code(),
            Self::Realm(_) => ErrorCode::PermissionDenied,
            Self::OtherNode(_) => ErrorCode::InvalidArgument,
            Self::Possession(_) | Self::Directory(_) => RENEWAL_REFUSED,
        }
    }

    /// A node that this registry has forgotten does no wrong.
    fn is_wrong(&self) -> bool {
        !matches!(
            self,
            Self::Directory(DirectoryError::UnknownNode(_)) | Self::Possession(PossessionError::Gone(_))
        )
    }
}

/// Answers `POST /ais/renew`; `proof` is what it shows of its key.
pub(crate) fn renew(
    shared: &Shared,
    peer: SocketAddr,
    proof: Option<&HeaderValue>,
    request: &RenewCredentialRequest,
) -> RegisterResponse {
    let renewed = identified(&request.actr_id).and_then(|id| {
        let holder = prove(shared, &id, proof, &request.renewal_token)?;
        exchanged(
            shared,
            peer,
            &id,
            &request.renewal_token,
            Purpose::Renewal,
            holder.as_ref(),
        )
    });
    answered(shared, peer, &request.actr_id, renewed)
}

/// What a node shows whose renewal was refused.
pub(crate) struct Reissue<'a> {
    /// For its realm.
    pub(crate) secret: Option<&'a [u8]>,
    /// Of its key.
    pub(crate) proof: Option<&'a HeaderValue>,
    pub(crate) actr_id: proto::ActrId,
    pub(crate) registration: RegisterRequest,
    /// The last renewal token that it was given.
    pub(crate) token: Bytes,
}

/// Answers `POST /ais/reissue`: the node keeps its id, and what it has registered.
pub(crate) fn reissue(shared: &Shared, peer: SocketAddr, request: Reissue<'_>) -> RegisterResponse {
    let Reissue {
        secret,
        proof,
        actr_id,
        registration,
        token,
    } = request;
    let reissued = identified(&actr_id).and_then(|id| {
        let number = ais::admit(shared, peer, id.realm_id(), secret)?;
        let registration = Registration::try_from(registration)?;
        let realms = &shared.options.realms;
        realms.check_type(id.realm_id(), number, &registration.actr_type)?;
        let holder = prove(shared, &id, proof, &token)?;
        let is_same = registration.actr_type == *id.actr_type()
            && registration.realm_id == id.realm_id()
            && registration.holder_key == holder;
        if !is_same {
            return Err(RenewalError::OtherNode(id));
        }
        exchanged(shared, peer, &id, &token, Purpose::Reissue, holder.as_ref())
    });
    answered(shared, peer, &actr_id, reissued)
}

fn identified(id: &proto::ActrId) -> Result<ActrId, RenewalError> {
    Ok(ActrId::try_from(id).map_err(RequestError::from)?)
}

/// A new credential for a token.
fn exchanged(
    shared: &Shared,
    peer: SocketAddr,
    id: &ActrId,
    token: &[u8],
    purpose: Purpose,
    holder: Option<&HolderKey>,
) -> Result<RegisterResponse, RenewalError> {
    let shown = ShownToken {
        secret: token,
        purpose,
        from: Source::of(peer.ip()),
        by_holder: holder.is_some(),
    };
    let (now, unix_now) = (shared.clock.now(), shared.clock.unix_seconds());
    let (renewed, notice) = shared.state().renew(id, shown, now, unix_now);
    notice.into_iter().for_each(Notice::tell);
    Ok(success(shared.authority.granted(id, holder, &renewed?)))
}

/// Checks that a node asks itself for its next credential; the key that this one is to name. This comes before the token is
/// looked at: who lacks the key can't use it up.
fn prove(
    shared: &Shared,
    id: &ActrId,
    proof: Option<&HeaderValue>,
    token: &[u8],
) -> Result<Option<HolderKey>, PossessionError> {
    let holder = shared.state().directory.holder_key(id)?.cloned();
    if let Some(key) = &holder {
        let shown = Shown { proof, binding: token };
        shown.check(shared, id, key, &Audience::Renewal)?;
    }
    Ok(holder)
}

/// The answer, counted and logged.
fn answered(
    shared: &Shared,
    peer: SocketAddr,
    id: &proto::ActrId,
    granted: Result<RegisterResponse, RenewalError>,
) -> RegisterResponse {
    let id = ActrId::try_from(id);
    match granted {
        Ok(response) => {
            if let Ok(id) = &id {
                debug!(%id, "credential renewed");
            }
            shared.journal.renewed();
            response
        }
        Err(error) => {
            if error.is_wrong() {
                complain(shared, peer, &error);
            } else {
                debug!(reason = %error, "renewal refused");
            }
            let event = Event::RenewalRefused {
                address: peer,
                id: id.map_or_else(|_| PeerText::default(), |id| PeerText::of(&id)),
                reason: PeerText::of(&error),
            };
            shared.journal.refused(Source::of(peer.ip()), &event);
            refused(error.code(), &error)
        }
    }
}
