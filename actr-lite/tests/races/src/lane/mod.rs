#[path = "../../../../node/src/lane/close_reason.rs"]
#[allow(unreachable_pub)]
pub(crate) mod close_reason;
#[path = "../../../../node/src/lane/closing.rs"]
pub(crate) mod closing;
#[path = "../../../../node/src/lane/lane.rs"]
pub(crate) mod lane;
pub(crate) mod websocket;
