pub(crate) mod in_place;
#[path = "../../../../node/src/stream/inbox.rs"]
pub(crate) mod inbox;
mod inbox_tests;
#[path = "../../../../node/src/stream/stream_end.rs"]
pub(crate) mod stream_end;
pub(crate) mod uplink;
