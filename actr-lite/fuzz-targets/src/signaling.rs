use std::{net::Ipv4Addr, sync::LazyLock, time::Duration};

use actr_lite_net::source::Source;
use actr_lite_registry::{
    Claim,
    answer::{self, Asker},
    directory::{
        Contract, Directory, Grant, Limits, MAX_CANDIDATES, Purpose, RENEWAL_TOKEN_LEN, Registration, ShownToken,
    },
};
use actr_lite_wire::{
    credential::{SigningKey, VerifyingKey},
    error_code::ErrorCode,
    identity::{ActrId, ActrType},
    proto::{
        AIdCredential, ErrorResponse, RegisterRequest, RenewCredentialRequest, ServiceSpec, SignalingEnvelope,
        actr_to_signaling::Payload as Request, get_service_spec_response, route_candidates_response,
        signaling_envelope::Flow, signaling_to_actr::Payload as Answer, unregister_response,
    },
};
use bytes::Bytes;
use data_encoding::BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;

use crate::{briefly_explained, explained};

/// The number of the registry's only key.
const KEY_ID: u32 = 7;

/// Where the nodes that the directory knows come from.
fn address() -> Source {
    Source::of(Ipv4Addr::LOCALHOST.into())
}

/// When everything here happens.
const NOW: Duration = Duration::from_secs(1);

/// Making one takes longer than all the rest of a run.
static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| SigningKey::new(KEY_ID, &[3; 32]).verifying_key());

/// The bytes as what the registry gets. Behind an `r` they are the body of a registration, behind an `n` that of a
/// renewal, behind a `q` the query of a signaling connection, and behind anything else an envelope of such a connection.
pub fn signaling(bytes: &[u8]) {
    match bytes.split_first() {
        Some((b'r', body)) => registration(body),
        Some((b'n', body)) => renewal(body),
        Some((b'q', query)) => std::str::from_utf8(query).into_iter().for_each(claim),
        Some((_, body)) => envelope(body),
        None => {}
    }
}

fn registration(body: &[u8]) {
    let Some(request) = decoded::<RegisterRequest>(body) else {
        return;
    };
    let actr_type = ActrType::try_from(&request.actr_type);
    let realm_id = request.realm.realm_id;
    let registration = match Registration::try_from(request) {
        Ok(registration) => registration,
        Err(error) => return briefly_explained(&error, body),
    };
    assert_eq!(actr_type.as_ref(), Ok(&registration.actr_type));
    assert!(registration.ws_address.as_ref().is_none_or(|url| url.starts_with("ws")));
    let (mut directory, ..) = directory();
    match directory.register(registration, address(), [2; 32], NOW, NOW.as_secs()) {
        Ok((id, _)) => {
            assert!(directory.knows(&id));
            assert_eq!((id.realm_id(), Ok(id.actr_type())), (realm_id, actr_type.as_ref()));
        }
        Err(error) => panic!("a small registration is refused: {error}"),
    }
}

/// The token with which the node that asks can renew its credential.
pub fn renewal_token() -> [u8; RENEWAL_TOKEN_LEN] {
    let (_, _, grant) = directory();
    grant.token.secret
}

fn renewal(body: &[u8]) {
    let Some(request) = decoded::<RenewCredentialRequest>(body) else {
        return;
    };
    let id = match ActrId::try_from(&request.actr_id) {
        Ok(id) => id,
        Err(error) => return briefly_explained(&error, body),
    };
    let (mut directory, known, _) = directory();
    let shown = ShownToken {
        secret: &request.renewal_token,
        purpose: Purpose::Renewal,
        from: address(),
        by_holder: false,
    };
    match directory.renew(&id, shown, NOW, NOW.as_secs()) {
        Ok(grant) => assert!(known == id && directory.knows(&id) && request.renewal_token != grant.token.secret[..]),
        Err(error) => explained(&error, body),
    }
}

fn claim(query: &str) {
    let claim = match Claim::from_query(query) {
        Ok(claim) => claim,
        Err(refusal) => return explained(&refusal, query.as_bytes()),
    };
    let credential = AIdCredential::from(claim.credential().clone());
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let again = format!(
        "signature={}&claims={}&key_id={}&later=1&actor_id={}",
        encoded(&BASE64.encode(&credential.signature)),
        encoded(&BASE64.encode(&credential.claims)),
        credential.key_id,
        encoded(&claim.id().to_string()),
    );
    assert!(
        matches!(Claim::from_query(&again), Ok(again) if again == claim),
        "{query}"
    );
}

fn envelope(body: &[u8]) {
    let Some(envelope) = decoded::<SignalingEnvelope>(body) else {
        return;
    };
    let Some(Flow::ActrToServer(message)) = envelope.flow else {
        return;
    };
    if let Err(error) = ActrId::try_from(&message.source) {
        briefly_explained(&error, body);
    }
    let Some(request) = message.payload else {
        return;
    };
    let (mut directory, id, _) = directory();
    let asker = Asker {
        is_this_machine: true,
        id: &id,
        pongs: 3,
        heartbeat_interval_secs: 5,
    };
    let answer = answer::answer(&mut directory, &asker, &request, NOW);
    assert!(
        encoded_len(&answer) <= body.len() + 4000,
        "a small request makes a large answer"
    );
    let has_left = is_unregistered(&request, &answer, body, &id);
    assert_eq!(directory.knows(&id), !has_left);
    assert_eq!(
        directory.len(),
        if has_left { 1 } else { 2 },
        "a node takes another one along"
    );
}

/// Checks that an answer is one to its request; whether that made the node leave.
fn is_unregistered(request: &Request, answer: &Answer, body: &[u8], id: &ActrId) -> bool {
    match (request, answer) {
        (Request::Ping(_), Answer::Pong(pong)) => assert_eq!(pong.seq, 3),
        (Request::Unregister(request), Answer::Unregister(answer)) => match &answer.result {
            Some(unregister_response::Result::Success(_)) => {
                assert_eq!(ActrId::try_from(&request.actr_id).as_ref(), Ok(id));
                return true;
            }
            Some(unregister_response::Result::Error(error)) => refused(error, body),
            None => panic!("neither success nor error"),
        },
        (Request::RouteCandidates(request), Answer::RouteCandidates(answer)) => match &answer.result {
            Some(route_candidates_response::Result::Success(found)) => {
                assert!(found.candidates.len() <= MAX_CANDIDATES);
                assert_eq!(found.candidates.len(), found.ws_address_map.len());
                assert_eq!(found.candidates.len(), found.contracts.len());
                assert!(found.candidates.iter().all(|found| found.r#type == request.target_type));
            }
            Some(route_candidates_response::Result::Error(error)) => refused(error, body),
            None => panic!("neither success nor error"),
        },
        (Request::GetServiceSpec(_), Answer::GetServiceSpec(answer)) => match &answer.result {
            Some(get_service_spec_response::Result::Success(spec)) => assert_eq!(*spec, service_spec()),
            Some(get_service_spec_response::Result::Error(error)) => refused(error, body),
            None => panic!("neither success nor error"),
        },
        (Request::GetSigningKey(request), Answer::GetSigningKey(answer)) => {
            assert_eq!((request.key_id, answer.key_id), (KEY_ID, KEY_ID));
        }
        (Request::GetSigningKey(_) | Request::Error(_), Answer::Error(error)) => refused(error, body),
        (request, answer) => panic!("{answer:?} is no answer to {request:?}"),
    }
    false
}

fn refused(error: &ErrorResponse, body: &[u8]) {
    explained(&error.message, body);
    assert!(
        !matches!(ErrorCode::from(error.code), ErrorCode::Other(_)),
        "code {}",
        error.code
    );
}

fn encoded_len(answer: &Answer) -> usize {
    let mut bytes = Vec::new();
    answer.encode(&mut bytes);
    bytes.len()
}

/// A message that is written and read again is written the same.
fn decoded<M: Message + Default>(body: &[u8]) -> Option<M> {
    let message = match M::decode(Bytes::copy_from_slice(body)) {
        Ok(message) => message,
        Err(error) => {
            explained(&error, body);
            return None;
        }
    };
    let written = message.encode_to_vec();
    // As bytes: a number that is none does not equal itself.
    assert!(matches!(M::decode(written.as_slice()), Ok(again) if again.encode_to_vec() == written));
    Some(message)
}

/// A directory with two nodes of one type, the id of the one that asks, and what it was granted.
fn directory() -> (Directory, ActrId, Grant) {
    let mut directory = Directory::new(1, Duration::from_secs(15), Limits::default());
    directory.set_signing_keys([KEY.clone()]);
    let [(id, grant), _] = ["ws://h:1", "ws://h:2"].map(|url| {
        let registration = Registration {
            holder_key: None,
            actr_type: actr_type(),
            realm_id: 1,
            contract: Some(Contract::from(&service_spec())),
            acl: None,
            ws_address: Some(url.into()),
            is_hidden: false,
            secret: None,
        };
        match directory.register(registration, address(), [1; 32], NOW, NOW.as_secs()) {
            Ok(registered) => registered,
            Err(error) => panic!("{error}"),
        }
    });
    (directory, id, grant)
}

fn actr_type() -> ActrType {
    match ActrType::new("acme", "Echo", "1.0.0") {
        Ok(actr_type) => actr_type,
        Err(error) => panic!("{error}"),
    }
}

fn service_spec() -> ServiceSpec {
    ServiceSpec {
        name: "echo".into(),
        fingerprint: "f".into(),
        ..ServiceSpec::default()
    }
}
