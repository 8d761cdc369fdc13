//! WebSocket frames (RFC 6455) without I/O, after the upgrade: bytes in, events out, and the other way round.
//! Of the upgrade itself only [`accept_key`] is here.
//!
//! A driver owns the socket and the buffers. It reads into a `BytesMut`, calls [`Decoder::decode`] until that has
//! nothing more to say, and reads again. To send, it appends payload behind [`HEADER_ROOM`] reserved bytes and
//! [`seal`]s the buffer, which writes the header directly in front of the payload: a message is copied on neither
//! side, except when the peer fragments it. No extension and no text message is supported.
//!
//! The driver still has to answer a ping with a pong and a close with a close, and to close the connection with
//! [`ProtocolError::close_code`] after an error; [`encode_control`] writes those frames.

mod close_code;
mod close_frame;
mod control_frame;
mod decoder;
mod fragmented_message;
mod frame_header;
mod handshake;
mod mask;
mod opcode;
mod protocol_error;
mod role;
mod seal;

pub use close_code::CloseCode;
pub use close_frame::CloseFrame;
pub use control_frame::{ControlFrame, EncodedControl, encode_control};
pub use decoder::{Decoder, Event};
pub use frame_header::HEADER_ROOM;
pub use handshake::accept_key;
pub use opcode::MAX_CONTROL_PAYLOAD_LEN;
pub use protocol_error::ProtocolError;
pub use role::Role;
pub use seal::{Fragment, append_frame, seal};
