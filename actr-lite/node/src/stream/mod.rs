//! Streams of frames between two actors.
//!
//! The receiver subscribes to an id, and then asks the sender (by a call of its own) for the stream. From then on
//! frames go one way and credit the other. A stream ends visibly at both ends: see [`StreamEnd`] and [`SendError`].

mod direct;
mod feeders;
mod in_place;
mod inbox;
mod latency_first;
mod options;
mod outgoing_streams;
mod registration;
mod resumable;
mod send_error;
mod sender;
mod stream_end;
mod subscription;
mod subscriptions;

pub(crate) use direct::DirectStreams;
pub(crate) use feeders::{Asked, Asks, Feeders, LastAsked};
pub(crate) use in_place::InPlace;
pub(crate) use inbox::{Inbox, Pushed, Unbound};
pub use options::{Delivery, StreamOptions};
pub(crate) use outgoing_streams::OutgoingStreams;
pub use registration::StreamRegistration;
pub(crate) use registration::register;
pub use resumable::{Asking, ResumableRequest, ResumableStream, ResumeError, ResumeProgress};
pub use send_error::SendError;
pub use sender::StreamSender;
pub use stream_end::StreamEnd;
pub use subscription::Subscription;
pub use subscriptions::SubscribeError;
pub(crate) use subscriptions::Subscriptions;
