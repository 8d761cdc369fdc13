#[path = "../../../../node/src/sync/answer_hold.rs"]
pub(crate) mod answer_hold;
#[path = "../../../../node/src/sync/in_place.rs"]
pub(crate) mod in_place;
mod notify;
pub(crate) mod primitives;
#[path = "../../../../node/src/sync/room.rs"]
pub(crate) mod room;
