//! Streams of frames between two actors, both ends.
//!
//! The receiver subscribes to an id, and then asks the sender (by a call of its own) for the stream. From then on
//! frames go one way and credit the other. A stream ends visibly at both ends: see [`stream_end::StreamEnd`] and
//! [`send_error::SendError`].
//!
//! It knows an [`uplink::Uplink`]: the lane to a peer, and what its users count. It must not know calls, who dials, or the
//! node.

pub(crate) mod delivery;
pub(crate) mod direct;
pub(crate) mod in_place;
pub(crate) mod in_use;
pub(crate) mod inbox;
pub(crate) mod incoming;
pub(crate) mod latency_first;
pub(crate) mod meters;
pub(crate) mod options;
pub(crate) mod outgoing_streams;
pub(crate) mod progress;
pub(crate) mod random_stream_id;
pub(crate) mod send_error;
pub(crate) mod sender;
pub(crate) mod sender_turn;
pub(crate) mod stream_end;
pub(crate) mod stream_environment;
pub(crate) mod stream_meter;
pub(crate) mod subscription;
pub(crate) mod subscriptions;
pub(crate) mod uplink;
pub(crate) mod waiting_frame;
