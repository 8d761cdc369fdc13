//! What is said on a connection before its WebSocket messages: in place of HTTP's text, blocks of bytes.

use actr_lite_wire::{
    credential::{Credential, CredentialError, source_id_from_header, source_id_to_header},
    identity::ActrId,
};
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::{
    context::Context,
    network::{Broken, Read, Socket},
};

/// How much is read at once.
pub(crate) const READ: usize = 64 << 10;

/// The first byte of a request: what the connection is for.
pub(crate) const REGISTER: u8 = b'R';
pub(crate) const RENEW: u8 = b'N';
pub(crate) const REISSUE: u8 = b'I';
pub(crate) const SIGNALING: u8 = b'S';
pub(crate) const DATA_LANE: u8 = b'D';

/// An answer's first byte.
pub(crate) const AGREED: u8 = 1;
pub(crate) const REFUSED: u8 = 0;

/// A block: its length, and the bytes.
pub(crate) fn block(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32 + 1).to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(body);
    bytes
}

/// The block at the front of the buffer, if it is whole: its first byte, and the others.
pub(crate) fn take_block(buffer: &mut BytesMut) -> Option<(u8, Bytes)> {
    let len = u32::from_be_bytes(*buffer.first_chunk()?) as usize;
    if buffer.len() < 4 + len {
        return None;
    }
    buffer.advance(4);
    let mut block = buffer.split_to(len).freeze();
    Some((block.get_u8(), block))
}

/// Who opens a signaling connection, as the headers of an upgrade say it.
pub(crate) fn introduction(id: &ActrId, credential: &Credential) -> Vec<u8> {
    let (source, credential) = (source_id_to_header(id), credential.to_header());
    format!("{source} {credential}").into_bytes()
}

/// Reads an [`introduction`].
pub(crate) fn introduced(body: &[u8]) -> Result<(ActrId, Credential), CredentialError> {
    let mut words = body.split(|byte| *byte == b' ');
    let id = source_id_from_header(words.next().unwrap_or_default())?;
    let credential = Credential::from_header(words.next().unwrap_or_default())?;
    Ok((id, credential))
}

/// The head of an upgrade request, or of the answer to one: HTTP's status and headers as lines of text.
#[derive(Debug)]
pub(crate) struct Head {
    /// Of a request: that to go on.
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

impl Head {
    pub(crate) fn request(headers: HeaderMap) -> Self {
        let status = StatusCode::CONTINUE;
        Self { status, headers }
    }

    pub(crate) fn answer(answer: Response<String>) -> Self {
        let (parts, _) = answer.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.status.as_str().as_bytes().to_vec();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(b"\n");
            bytes.extend_from_slice(name.as_ref());
            bytes.extend_from_slice(b"\n");
            bytes.extend_from_slice(value.as_bytes());
        }
        bytes
    }

    /// Reads a head; what is none says nothing.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let status = lines.next().and_then(|status| StatusCode::from_bytes(status).ok());
        let mut headers = HeaderMap::new();
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                headers.append(name, value);
            }
        }
        Self {
            status: status.unwrap_or_default(),
            headers,
        }
    }
}

/// Bytes on their way out, as far as the connection takes them.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Unsent {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.is_empty() {
            self.bytes.clear();
            self.sent = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    pub(crate) fn flush(&mut self, socket: Socket, cx: &mut Context<'_>) -> Result<(), Broken> {
        if !self.is_empty() {
            self.sent += cx.network.write(socket, &self.bytes[self.sent..], cx.now, cx.rng)?;
        }
        Ok(())
    }
}

/// Reads all there is. False: nothing more comes.
pub(crate) fn read_all(socket: Socket, buffer: &mut BytesMut, cx: &mut Context<'_>) -> bool {
    loop {
        match cx.network.read(socket, buffer, READ, cx.now) {
            Read::Bytes(_) => {}
            Read::Nothing => return true,
            Read::End | Read::Reset => return false,
        }
    }
}
