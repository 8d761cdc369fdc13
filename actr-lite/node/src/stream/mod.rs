//! Streams of frames between two actors.
//!
//! The receiver subscribes to an id, and then asks the sender (by a call of its own) for the stream. From then on
//! frames go one way and credit the other. A stream ends visibly at both ends: see [`StreamEnd`] and [`SendError`].

mod delivery;
mod direct;
mod in_place;
mod inbox;
mod latency_first;
mod options;
mod outgoing_streams;
mod progress;
mod registration;
mod send_error;
mod sender;
mod stream_end;
mod subscription;
mod subscriptions;

pub(crate) use delivery::{CallbackDelivery, Delivered, Delivery as StreamDelivery};
pub(crate) use direct::DirectStreams;
pub(crate) use in_place::InPlace;
pub(crate) use inbox::{Inbox, Pushed, Unbound};
pub use options::{Delivery, StreamOptions};
pub(crate) use outgoing_streams::OutgoingStreams;
pub(crate) use progress::ProgressCell;
pub use progress::StreamProgress;
pub use registration::StreamRegistration;
pub use send_error::{EndedStream, SendError};
pub use sender::StreamSender;
pub use stream_end::StreamEnd;
pub use subscription::Subscription;
pub use subscriptions::SubscribeError;
pub(crate) use subscriptions::Subscriptions;
