use std::time::{Duration, UNIX_EPOCH};

use actr_lite_clock::Clock;
use actr_lite_net::{
    DialProgress, Step,
    http_exchange::{self, ExchangeError},
};
use actr_lite_wire::{
    peer_text::PeerText,
    possession::{Audience, PROOF_HEADER, Proof},
    proto::{RegisterResponse, register_response::Result::Error as Refused},
    realm_secret::REALM_SECRET_HEADER,
};
use bytes::Bytes;
use hyper::{
    HeaderMap, Method, Request, Response,
    header::{ACCEPT, CONTENT_TYPE, DATE, HOST, HeaderValue},
};
use prost::Message as _;
use tokio::time::timeout;

use crate::{
    config::{LinkConfig, reissue_request, renew_request},
    dial::Dial,
    error::RegistryLinkError,
    http_answer,
    identity::Identity,
    registration::Registration,
    registry_url::RegistryUrl,
    renewal_token::RenewalToken,
};

/// How long AIS may take to answer, or signaling to accept a connection: less than a waiting request's 5 s, so that the request
/// can say why it failed.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// The most bytes of an answer: an identity has well under 1 KiB.
const MAX_ANSWER_LEN: usize = 64 * 1024;

const CONTENT: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// The actions of AIS: `POST {ais}/register`, `POST {ais}/renew` and `POST {ais}/reissue`.
pub(crate) struct Ais<'a, D> {
    pub(crate) config: &'a LinkConfig,
    pub(crate) dial: &'a D,
    pub(crate) progress: &'a DialProgress,
}

impl<D: Dial> Ais<'_, D> {
    /// Asks for a new identity.
    pub(crate) async fn register(&self) -> Result<Registration, RegistryLinkError> {
        let request = self.config.register_request();
        self.granted("register", "registration", request.encode_to_vec(), None)
            .await
    }

    /// Asks for a new credential for an identity.
    pub(crate) async fn renew(
        &self,
        identity: &Identity,
        token: &RenewalToken,
    ) -> Result<Registration, RegistryLinkError> {
        let request = renew_request(identity, token);
        let proof = self.config.prove(identity, Audience::Renewal, &token.0);
        self.granted("renew", "renewal", request.encode_to_vec(), proof).await
    }

    /// Asks for a new credential for an identity whose renewal was refused.
    pub(crate) async fn reissue(
        &self,
        identity: &Identity,
        token: &RenewalToken,
    ) -> Result<Registration, RegistryLinkError> {
        let request = reissue_request(self.config, identity, token);
        let proof = self.config.prove(identity, Audience::Renewal, &token.0);
        self.granted("reissue", "reissue", request.encode_to_vec(), proof).await
    }

    async fn granted(
        &self,
        action: &str,
        name: &'static str,
        body: Vec<u8>,
        proof: Option<Proof>,
    ) -> Result<Registration, RegistryLinkError> {
        let url = &self.config.url;
        let timed_out = |after| RegistryLinkError::TimedOut {
            url: url.clone(),
            request: name,
            after,
        };
        let stream = connect(self.config, self.dial, self.progress).await?;
        let _step = self.progress.enter(Step::Answer(name));
        let answer = timeout(ANSWER_TIMEOUT, self.exchange(stream, action, body, proof)).await;
        let answer = answer.map_err(|_| timed_out(ANSWER_TIMEOUT))??;
        let response = registration_response(url, name, &answer)?;
        let registration = Registration::from_response(name, response, answered_at(answer.headers()));
        registration.map_err(|error| error.with_retry_after(http_answer::retry_after(answer.headers())))
    }

    async fn exchange(
        &self,
        stream: D::Stream,
        action: &str,
        body: Vec<u8>,
        proof: Option<Proof>,
    ) -> Result<Response<Bytes>, RegistryLinkError> {
        let url = &self.config.url;
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.ais_path(action).parse().map_err(|_| not_a_header(self.config))?;
        let host = HeaderValue::from_str(url.authority()).map_err(|_| not_a_header(self.config))?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(CONTENT_TYPE, CONTENT);
        headers.insert(ACCEPT, CONTENT);
        if let Some(secret) = &self.config.realm_secret {
            let mut secret = HeaderValue::from_bytes(secret.as_bytes()).map_err(|_| not_a_header(self.config))?;
            secret.set_sensitive(true);
            headers.insert(REALM_SECRET_HEADER, secret);
        }
        if let Some(proof) = proof {
            let proof = HeaderValue::from_str(&proof.to_header()).map_err(|_| not_a_header(self.config))?;
            headers.insert(PROOF_HEADER, proof);
        }
        let answer = http_exchange::exchange(stream, request, MAX_ANSWER_LEN).await;
        answer.map_err(|error| match error {
            ExchangeError::Http(error) => http_answer::failure(url, &error),
            ExchangeError::Body(error) => RegistryLinkError::unreachable(url, error.to_string()),
        })
    }
}

/// When the registry answered, by its own calendar if it says that (RFC 9110 §6.6.1), as credentials end by it.
fn answered_at(headers: &HeaderMap) -> u64 {
    let date = headers
        .get(DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let since_epoch = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
    since_epoch.map_or_else(|| Clock::start().unix_seconds(), |since_epoch| since_epoch.as_secs())
}

/// Opens a connection to the registry. Each step of it has a time limit of its own.
pub(crate) async fn connect<D: Dial>(
    config: &LinkConfig,
    dial: &D,
    progress: &DialProgress,
) -> Result<D::Stream, RegistryLinkError> {
    let url = &config.url;
    let dialled = dial.dial(url, progress).await;
    dialled.map_err(|error| match error.is_final() {
        true => RegistryLinkError::unusable(url, &error),
        false => RegistryLinkError::unreachable(url, PeerText::of(&error)),
    })
}

fn registration_response(
    url: &RegistryUrl,
    request: &'static str,
    answer: &Response<Bytes>,
) -> Result<RegisterResponse, RegistryLinkError> {
    let (status, headers, body) = (answer.status(), answer.headers(), answer.body());
    let kind = headers.get(CONTENT_TYPE);
    // Not every registry names what it sends, but a page is not a message.
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/"));
    let response = RegisterResponse::decode(body.clone());
    let is_refusal = matches!(&response, Ok(response) if matches!(response.result, Some(Refused(_))));
    if kind != Some(&CONTENT) && (is_page || !status.is_success() && !is_refusal) {
        return Err(http_answer::refusal(url, request, status, headers, body));
    }
    response.map_err(|error| RegistryLinkError::malformed(request, &error))
}

fn not_a_header(config: &LinkConfig) -> RegistryLinkError {
    RegistryLinkError::unreachable(&config.url, "its address can't be put into an HTTP request")
}
