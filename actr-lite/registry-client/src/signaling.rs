use actr_lite_net::{
    DialProgress, Step,
    message_socket::{MessageSocket, SocketError},
};
use actr_lite_wire::{peer_text::PeerText, possession::Audience, proto::AIdCredential, websocket::Role};
use data_encoding::BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;

use crate::{
    ais::{ANSWER_TIMEOUT, connect},
    config::LinkConfig,
    dial::Dial,
    error::RegistryLinkError,
    http_answer,
    identity::Identity,
    upgrade::{UpgradeError, upgrade},
};

/// What opening a connection is called in errors.
const NAME: &str = "signaling connection";

/// The most bytes of an answer: a contract is the largest, a registration is 1 MiB at most, and an envelope goes around it.
pub const MAX_MESSAGE_LEN: usize = (1024 + 64) * 1024;

/// Opens a signaling connection of `identity`.
pub(crate) async fn open<D: Dial>(
    config: &LinkConfig,
    dial: &D,
    identity: &Identity,
    progress: &DialProgress,
) -> Result<MessageSocket<D::Stream>, RegistryLinkError> {
    let stream = connect(config, dial, progress).await?;
    let _step = progress.enter(Step::Answer(NAME));
    let target = target(config, identity);
    let prove = |key: &str| config.prove(identity, Audience::Signaling, key.as_bytes());
    match timeout(ANSWER_TIMEOUT, upgrade(stream, config.url.authority(), &target, prove)).await {
        Ok(Ok((stream, received))) => Ok(MessageSocket::new(stream, Role::Client, MAX_MESSAGE_LEN, received)),
        Ok(Err(UpgradeError::Refused(head, body))) => Err(http_answer::refusal(
            &config.url,
            NAME,
            head.status,
            &head.headers,
            &body,
        )),
        Ok(Err(UpgradeError::Http(error))) => Err(http_answer::failure(&config.url, &error)),
        Ok(Err(error @ UpgradeError::WrongAccept)) => Err(RegistryLinkError::unusable(&config.url, &error)),
        Ok(Err(error)) => Err(RegistryLinkError::unreachable(&config.url, PeerText::of(&error))),
        Err(_) => Err(RegistryLinkError::TimedOut {
            url: config.url.clone(),
            request: NAME,
            after: ANSWER_TIMEOUT,
        }),
    }
}

/// Path and query, with the credential in it: not for logs.
fn target(config: &LinkConfig, identity: &Identity) -> String {
    let credential = AIdCredential::from(identity.credential.clone());
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!(
        "{}?actor_id={}&key_id={}&claims={}&signature={}",
        config.url.signaling_path(),
        encoded(&identity.actor_id.to_string()),
        credential.key_id,
        encoded(&BASE64.encode(&credential.claims)),
        encoded(&BASE64.encode(&credential.signature)),
    )
}

/// What an error of a signaling connection comes to.
pub(crate) fn failure(config: &LinkConfig, error: &SocketError) -> RegistryLinkError {
    let cause = match error {
        SocketError::Io(error) => return RegistryLinkError::from_io(&config.url, error),
        SocketError::Closed(Some(frame)) if !frame.reason().is_empty() => {
            format!("it closed the connection: {}", PeerText::new(frame.reason()))
        }
        SocketError::Closed(_) => "it closed the connection".into(),
        error => error.to_string(),
    };
    RegistryLinkError::unreachable(&config.url, cause)
}
