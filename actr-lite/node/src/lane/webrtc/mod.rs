//! The data lane as actr's WebRTC data channels (actr 0.4.21): one record a message, and no control records, unless both
//! ends speak the extension.
//!
//! What agrees on sessions and drives them is a layer above, as it takes the registry's help.

pub(crate) mod outbox;
