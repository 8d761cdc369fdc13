use actr_lite_wire::{peer_text::PeerText, proto::AIdCredential};
use data_encoding::BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error as WebSocketError, protocol::WebSocketConfig},
};

use super::{
    Identity, LinkConfig, RegistryLinkError,
    ais::{ANSWER_TIMEOUT, connect, refused_by_status},
    dial::Dial,
};

/// What opening a connection is called in errors.
const NAME: &str = "signaling connection";

/// The most bytes of an answer: a contract is the largest, a registration is 1 MiB at most, and an envelope goes around it.
const MAX_MESSAGE_LEN: usize = (1024 + 64) * 1024;

/// How much is read at a time, and held by the connection: several of the usual answers.
const IO_BUFFER_LEN: usize = 4 * 1024;

/// The most bytes that wait for a slow registry: more than all waiting requests have together.
const MAX_UNSENT_LEN: usize = 1024 * 1024;

/// Opens a signaling connection of `identity`.
pub(super) async fn open<D: Dial>(
    config: &LinkConfig,
    dial: &D,
    identity: &Identity,
) -> Result<WebSocketStream<D::Stream>, RegistryLinkError> {
    let stream = connect(config, dial).await?;
    let mut limits = WebSocketConfig::default();
    limits.read_buffer_size = IO_BUFFER_LEN;
    limits.write_buffer_size = IO_BUFFER_LEN;
    limits.max_write_buffer_size = MAX_UNSENT_LEN;
    limits.max_message_size = Some(MAX_MESSAGE_LEN);
    limits.max_frame_size = Some(MAX_MESSAGE_LEN);
    let address = address(config, identity);
    let opened = timeout(ANSWER_TIMEOUT, client_async_with_config(address, stream, Some(limits))).await;
    match opened {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(failure(config, &error)),
        Err(_) => Err(RegistryLinkError::TimedOut {
            url: config.url.clone(),
            request: NAME,
            after: ANSWER_TIMEOUT,
        }),
    }
}

/// With the credential in it: not for logs.
fn address(config: &LinkConfig, identity: &Identity) -> String {
    let credential = AIdCredential::from(identity.credential.clone());
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!(
        "{}?actor_id={}&key_id={}&claims={}&signature={}",
        config.url,
        encoded(&identity.actor_id.to_string()),
        credential.key_id,
        encoded(&BASE64.encode(&credential.claims)),
        encoded(&BASE64.encode(&credential.signature)),
    )
}

/// What an error of a WebSocket to the registry comes to.
pub(super) fn failure(config: &LinkConfig, error: &WebSocketError) -> RegistryLinkError {
    match error {
        WebSocketError::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            refused_by_status(NAME, response.status(), body)
        }
        WebSocketError::Io(error) => RegistryLinkError::from_io(&config.url, error),
        error => RegistryLinkError::unreachable(&config.url, PeerText::of(&error)),
    }
}
